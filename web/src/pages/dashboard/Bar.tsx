import { useState } from "react";
import { useNavigate } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { Download, Expand, History, MoreHorizontal, Pencil, Plus, Redo2, Settings2, Shrink, Undo2 } from "lucide-react";
import { del, post } from "@/api/client";
import type { Dashboard, Panel } from "@/api/dashboards";
import { toast } from "@/app/toast";
import { PANEL_TYPES } from "@/lib/dash/model";
import { Button, IconButton } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, FormActions, Input } from "@/ui/Form";
import { MenuItem, Popover } from "@/ui/Popover";
import type { DashboardSearch } from "./route";
import type { Document } from "./useBoard";
import css from "./Bar.module.css";

interface Props {
  doc: Document;
  editing: boolean;
  /** The older version that is looked at. */
  old: number | undefined;
  search: DashboardSearch;
  set: (patch: DashboardSearch, replace?: boolean) => void;
  onAdd: (type: Panel["type"]) => void;
  onSettings: () => void;
  onVersions: () => void;
}

/** The dashboard's name and what can be done with it. */
export function Bar({ doc, editing, old, search, set, onAdd, onSettings, onVersions }: Props) {
  const [saving, setSaving] = useState(false);
  const d = doc.now;
  return (
    <header className={css.bar}>
      <div className={css.names}>
        <h1 className={css.title}>{d.title}</h1>
        {d.description && !search.kiosk && <p className={css.about}>{d.description}</p>}
      </div>
      <div className={css.tools}>
        {old !== undefined ? (
          <>
            <span className={css.state}>Version {old}</span>
            <Button onClick={() => set({ version: undefined })}>Back to the newest</Button>
            <Button tone="primary" onClick={() => void doc.restore(old).then(() => set({ version: undefined }))}>
              Restore this version
            </Button>
          </>
        ) : search.kiosk ? (
          <IconButton label="Leave the kiosk" keys="k" onClick={() => set({ kiosk: undefined })}>
            <Shrink size={15} />
          </IconButton>
        ) : editing ? (
          <>
            {doc.dirty && <span className={css.state}>Unsaved</span>}
            <IconButton label="Undo" keys="⌘ Z" disabled={!doc.canUndo} onClick={doc.undo}>
              <Undo2 size={15} />
            </IconButton>
            <IconButton label="Redo" keys="⇧ ⌘ Z" disabled={!doc.canRedo} onClick={doc.redo}>
              <Redo2 size={15} />
            </IconButton>
            <AddMenu onAdd={onAdd} />
            <Button onClick={onSettings}>
              <Settings2 size={14} aria-hidden /> Settings
            </Button>
            <Button
              onClick={() => {
                if (doc.dirty) toast("Changes discarded", { action: { label: "Undo", run: doc.undo } });
                doc.discard();
                set({ edit: undefined, panel: undefined });
              }}
            >
              {doc.dirty ? "Discard" : "Done"}
            </Button>
            <Button tone="primary" disabled={!doc.dirty || doc.saving} onClick={() => setSaving(true)}>
              Save
            </Button>
          </>
        ) : (
          <>
            {doc.dirty && <span className={css.state}>Unsaved</span>}
            <Button onClick={() => set({ edit: "1" })}>
              <Pencil size={13} aria-hidden /> Edit
            </Button>
            <IconButton label="Kiosk" keys="k" onClick={() => (set({ kiosk: "1" }), void document.documentElement.requestFullscreen?.().catch(() => undefined))}>
              <Expand size={15} />
            </IconButton>
            <More d={d} onVersions={onVersions} />
          </>
        )}
      </div>
      <Dialog open={saving} onClose={() => setSaving(false)} label="Save the dashboard">
        <SaveForm
          doc={doc}
          onDone={() => {
            setSaving(false);
            set({ edit: undefined, panel: undefined });
          }}
          onCancel={() => setSaving(false)}
        />
      </Dialog>
    </header>
  );
}

function SaveForm({ doc, onDone, onCancel }: { doc: Document; onDone: () => void; onCancel: () => void }) {
  const [message, setMessage] = useState("");
  return (
    <form
      className={css.form}
      onSubmit={(e) => {
        e.preventDefault();
        void doc.save(message).then((ok) => ok && onDone());
      }}
    >
      <h2>Save {doc.now.title}</h2>
      <Field label="What was changed" hint="Shown in the list of versions; may stay empty.">
        {(ids) => <Input {...ids} autoFocus value={message} onChange={(e) => setMessage(e.target.value)} maxLength={200} />}
      </Field>
      <FormActions>
        <Button onClick={onCancel}>Cancel</Button>
        <Button tone="primary" type="submit" disabled={doc.saving}>
          Save
        </Button>
      </FormActions>
    </form>
  );
}

function AddMenu({ onAdd }: { onAdd: (type: Panel["type"]) => void }) {
  return (
    <Popover
      label="Add a panel"
      trigger={
        <Button>
          <Plus size={14} aria-hidden /> Add
        </Button>
      }
    >
      {PANEL_TYPES.map((t) => (
        <MenuItem key={t.id} onSelect={() => onAdd(t.id)} hint={t.about}>
          {t.label}
        </MenuItem>
      ))}
    </Popover>
  );
}

function More({ d, onVersions }: { d: Dashboard; onVersions: () => void }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const path = `/dashboards/${encodeURIComponent(d.id)}`;
  const changed = d.ready_made && d.version > 0;
  const copy = async () => {
    const made = await post<Dashboard>("/dashboards", { ...d, title: `${d.title} (copy)`, id: "", version: 0, ready_made: false });
    void client.invalidateQueries({ queryKey: ["/dashboards"] });
    void navigate({ to: "/dashboards/$id" as never, params: { id: made.id } as never, search: { edit: "1" } as never });
  };
  const remove = async () => {
    await del(path);
    setAsking(false);
    toast(changed ? "As it came with Tidemark again" : `${d.title} deleted`);
    void client.invalidateQueries({ queryKey: ["/dashboards"] });
    client.removeQueries({ queryKey: [path] });
    if (!changed) void navigate({ to: "/dashboards" as never });
    else await client.refetchQueries({ queryKey: [path] });
  };
  return (
    <>
      <Popover
        label="More about the dashboard"
        trigger={
          <IconButton label="More">
            <MoreHorizontal size={15} />
          </IconButton>
        }
      >
        <MenuItem onSelect={onVersions} hint={<History size={13} aria-hidden />}>
          Versions
        </MenuItem>
        <MenuItem onSelect={() => void copy()}>Make a copy</MenuItem>
        <MenuItem onSelect={() => void (location.href = `/api/v1${path}/export`)} hint={<Download size={13} aria-hidden />}>
          Export as JSON
        </MenuItem>
        {(changed || !d.ready_made) && <MenuItem onSelect={() => setAsking(true)}>{changed ? "Back to how it came" : "Delete"}</MenuItem>}
      </Popover>
      <Dialog open={asking} onClose={() => setAsking(false)} label={changed ? "Back to how it came" : "Delete the dashboard"}>
        <div className={css.form}>
          <h2>{changed ? `Undo all changes to ${d.title}?` : `Delete ${d.title}?`}</h2>
          <p>{changed ? "The dashboard becomes what it was when it came with Tidemark." : "Its versions go with it."} Export it first if it may be needed again.</p>
          <FormActions>
            <Button onClick={() => setAsking(false)}>Cancel</Button>
            <Button tone="danger" onClick={() => void remove()}>
              {changed ? "Undo the changes" : "Delete"}
            </Button>
          </FormActions>
        </div>
      </Dialog>
    </>
  );
}
