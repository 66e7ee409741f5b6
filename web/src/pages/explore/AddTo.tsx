import { type ReactElement, useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError, get, post, put } from "@/api/client";
import type { Dashboard, Panel } from "@/api/dashboards";
import { dashboardsQuery } from "@/api/prom";
import { toast } from "@/app/toast";
import { freePlace } from "@/lib/dash/grid";
import { freeId, newDashboard } from "@/lib/dash/model";
import { Popover } from "@/ui/Popover";
import css from "@/ui/Picker.module.css";

/** Puts what is on the screen onto a dashboard. */
export function AddTo({ panel, children }: { panel: Panel; children: ReactElement }) {
  const [open, setOpen] = useState(false);
  const [q, setQ] = useState("");
  const list = useQuery({ ...dashboardsQuery(), enabled: open }).data?.dashboards ?? [];
  const client = useQueryClient();
  const navigate = useNavigate();
  const show = (id: string) => void navigate({ to: "/dashboards/$id" as never, params: { id } as never });
  const add = async (id: string | null) => {
    setOpen(false);
    try {
      const d = id ? await get<Dashboard>(`/dashboards/${encodeURIComponent(id)}`) : newDashboard(q.trim() || "New dashboard");
      const size = { w: panel.w, h: panel.h };
      const next = { ...d, panels: [...d.panels, { ...panel, ...freePlace(d.panels, size.w, size.h), id: freeId(d.panels), legend: "list" as const }] };
      const saved = id ? await put<Dashboard>(`/dashboards/${encodeURIComponent(id)}?message=${encodeURIComponent("Panel added from Explore")}`, next) : await post<Dashboard>("/dashboards", next);
      client.removeQueries({ queryKey: [`/dashboards/${saved.id}`] });
      void client.invalidateQueries({ queryKey: ["/dashboards"] });
      toast(`Added to ${saved.title}`, { action: { label: "Open", run: () => show(saved.id) } });
    } catch (e) {
      toast(e instanceof ApiError ? (e.detail ?? e.message) : "It could not be added", { tone: "bad" });
    }
  };
  const found = list.filter((d) => d.title.toLowerCase().includes(q.toLowerCase())).sort((a, b) => Number(a.ready_made) - Number(b.ready_made));
  return (
    <Popover label="Add to a dashboard" trigger={children} open={open} onOpenChange={setOpen} className={css.popover}>
      <input className={css.search} autoFocus placeholder="Find one, or name a new one" aria-label="Dashboard" value={q} onChange={(e) => setQ(e.target.value)} />
      <ul className={css.list}>
        <li>
          <button type="button" className={css.item} onClick={() => void add(null)}>
            New dashboard{q.trim() && ` “${q.trim()}”`}
          </button>
        </li>
        {found.slice(0, 30).map((d) => (
          <li key={d.id}>
            <button type="button" className={css.item} onClick={() => void add(d.id)}>
              {d.title}
              {d.ready_made && <span className={css.note}>ready-made</span>}
            </button>
          </li>
        ))}
      </ul>
    </Popover>
  );
}
