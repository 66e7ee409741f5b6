// Toasts say what was done and offer to undo it. One stack, bottom right.
import { useSyncExternalStore } from "react";
import { X } from "lucide-react";
import css from "./toast.module.css";

interface Toast {
  id: number;
  text: string;
  tone?: "bad";
  action?: { label: string; run: () => void };
}

const SHOW_MS = 7000;
let toasts: readonly Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(list: readonly Toast[]) {
  toasts = list;
  for (const l of listeners) l();
}
const dismiss = (id: number) => set(toasts.filter((t) => t.id !== id));

/** Shows a short message; with an action it stays a little longer. */
export function toast(text: string, options: { tone?: "bad"; action?: Toast["action"] } = {}): void {
  const id = next++;
  set([...toasts.slice(-3), { id, text, ...options }]);
  setTimeout(() => dismiss(id), options.action ? SHOW_MS * 1.5 : SHOW_MS);
}

export function Toasts() {
  const list = useSyncExternalStore(
    (l) => (listeners.add(l), () => void listeners.delete(l)),
    () => toasts,
  );
  return (
    <div className={css.stack} role="status" aria-live="polite">
      {list.map((t) => (
        <div key={t.id} className={css.toast} data-tone={t.tone}>
          <span>{t.text}</span>
          {t.action && (
            <button
              className={css.action}
              onClick={() => {
                t.action!.run();
                dismiss(t.id);
              }}
            >
              {t.action.label}
            </button>
          )}
          <button className={css.close} aria-label="Dismiss" onClick={() => dismiss(t.id)}>
            <X size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}
