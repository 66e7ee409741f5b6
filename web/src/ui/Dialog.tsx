import { type ReactNode, useEffect, useRef } from "react";
import css from "./Dialog.module.css";

interface Props {
  open: boolean;
  onClose: () => void;
  label: string;
  children: ReactNode;
  className?: string;
}

/** The browser's own modal dialog: focus trap, Escape and inert background come with it. */
export function Dialog({ open, onClose, label, children, className }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const el = ref.current!;
    if (open && !el.open) el.showModal();
    if (!open && el.open) el.close();
  }, [open]);
  return (
    <dialog
      ref={ref}
      aria-label={label}
      className={`${css.dialog} ${className ?? ""}`}
      onClose={onClose}
      onMouseDown={(e) => e.target === ref.current && onClose()}
    >
      {open && children}
    </dialog>
  );
}
