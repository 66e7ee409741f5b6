import { Dialog } from "@/ui/Dialog";
import { Kbd } from "@/ui/Kbd";
import { SHORTCUTS } from "./keys";
import { NAV } from "./nav";
import css from "./ShortcutsHelp.module.css";

export function ShortcutsHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const groups = [...SHORTCUTS, { group: "Go to", list: NAV.map((n) => ({ keys: `g ${n.key}`, does: n.label })) }];
  return (
    <Dialog open={open} onClose={onClose} label="Keyboard shortcuts">
      <div className={css.body} tabIndex={0}>
        <h2>Keyboard shortcuts</h2>
        {groups.map((g) => (
          <section key={g.group}>
            <h3 className={css.group}>{g.group}</h3>
            <dl>
              {g.list.map((s) => (
                <div key={s.keys} className={css.row}>
                  <dt>{s.does}</dt>
                  <dd>{/^[a-z]+ [a-z]+|^drag|^click/.test(s.keys) && !s.keys.startsWith("g ") ? <span className={css.gesture}>{s.keys}</span> : <Kbd keys={s.keys} />}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
