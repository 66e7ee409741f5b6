import { useCallback, useEffect, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { ApiError, post, put, withParams } from "@/api/client";
import type { Dashboard, Panel } from "@/api/dashboards";
import { toast } from "@/app/toast";
import { changed, type History, historyOf, redone, undone } from "@/lib/dash/history";
import { contentOf } from "@/lib/dash/model";

export interface Document {
  now: Dashboard;
  dirty: boolean;
  canUndo: boolean;
  canRedo: boolean;
  saving: boolean;
  /** Another state of the dashboard; touched joins steps that follow each other on the same thing. */
  change: (f: (d: Dashboard) => Dashboard, touched?: string) => void;
  changePanel: (id: string, f: (p: Panel) => Panel, touched?: string) => void;
  undo: () => void;
  redo: () => void;
  discard: () => void;
  save: (message: string) => Promise<boolean>;
  restore: (version: number) => Promise<void>;
}

/** The dashboard under edit: every change can be undone until it is saved, and after that as a version. */
export function useBoard(saved: Dashboard): Document {
  const client = useQueryClient();
  const [base, setBase] = useState(saved);
  const [h, setH] = useState<History<Dashboard>>(() => historyOf(saved));
  const [saving, setSaving] = useState(false);
  const path = `/dashboards/${encodeURIComponent(saved.id)}`;
  const dirty = h.now !== base && contentOf(h.now) !== contentOf(base);

  // Another has saved, or an import brought it: taken over as long as nothing of ours is lost.
  useEffect(() => {
    if (saved.version === base.version || dirty) return;
    setBase(saved);
    setH(historyOf(saved));
  }, [saved, base.version, dirty]);

  useEffect(() => {
    if (!dirty) return;
    const warn = (e: BeforeUnloadEvent) => e.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [dirty]);

  const change = useCallback((f: (d: Dashboard) => Dashboard, touched = "") => setH((old) => changed(old, f(old.now), touched, Date.now())), []);
  const changePanel = useCallback(
    (id: string, f: (p: Panel) => Panel, touched = "") => change((d) => ({ ...d, panels: d.panels.map((p) => (p.id === id ? f(p) : p)) }), `${id} ${touched}`),
    [change],
  );
  const settle = (d: Dashboard) => {
    setBase(d);
    setH((old) => ({ ...old, now: d }));
    client.setQueryData([path, {}], d);
    void client.invalidateQueries({ queryKey: ["/dashboards"] });
    void client.invalidateQueries({ queryKey: [`${path}/versions`] });
  };
  const fault = (e: unknown) => {
    const conflict = e instanceof ApiError && e.status === 409;
    toast(conflict ? "Somebody else has saved this dashboard meanwhile: reload it, then make your change again" : e instanceof ApiError ? (e.detail ?? e.message) : "It could not be saved", { tone: "bad" });
  };
  return {
    now: h.now,
    dirty,
    canUndo: h.past.length > 0,
    canRedo: h.future.length > 0,
    saving,
    change,
    changePanel,
    undo: () => setH(undone),
    redo: () => setH(redone),
    discard: () => setH(historyOf(base)),
    save: async (message) => {
      setSaving(true);
      try {
        settle(await put<Dashboard>(withParams(path, { message }), { ...h.now, version: base.version }));
        toast("Dashboard saved");
        return true;
      } catch (e) {
        fault(e);
        return false;
      } finally {
        setSaving(false);
      }
    },
    restore: async (version) => {
      const before = base.version;
      try {
        const d = await post<Dashboard>(`${path}/restore`, { version });
        setH(historyOf(d));
        settle(d);
        toast(`Version ${version} is the newest again`, { action: { label: "Undo", run: () => void post<Dashboard>(`${path}/restore`, { version: before }).then((back) => (setH(historyOf(back)), settle(back)), fault) } });
      } catch (e) {
        fault(e);
      }
    },
  };
}
