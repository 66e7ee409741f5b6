import css from "./Kbd.module.css";

const mac = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

/** Keys apart: "⌘ K" is written "Ctrl K" where there is no ⌘. */
export function Kbd({ keys }: { keys: string }) {
  const list = keys.split(" ").filter(Boolean);
  return (
    <span className={css.keys}>
      {list.map((k, i) => (
        <kbd key={i} className={css.key}>
          {k === "⌘" && !mac ? "Ctrl" : k === "⌥" && !mac ? "Alt" : k}
        </kbd>
      ))}
    </span>
  );
}
