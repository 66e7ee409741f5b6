import type { ReactElement, ReactNode } from "react";
import * as P from "@radix-ui/react-popover";
import css from "./Popover.module.css";

interface Props {
  trigger: ReactElement;
  children: ReactNode;
  label: string;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  align?: "start" | "center" | "end";
  className?: string;
}

/** Content beside a button. Not modal: the page stays readable behind it. */
export function Popover({ trigger, children, label, open, onOpenChange, align = "end", className }: Props) {
  return (
    <P.Root open={open} onOpenChange={onOpenChange}>
      <P.Trigger asChild>{trigger}</P.Trigger>
      <P.Portal>
        <P.Content className={`${css.content} ${className ?? ""}`} align={align} sideOffset={6} collisionPadding={8} aria-label={label}>
          {children}
        </P.Content>
      </P.Portal>
    </P.Root>
  );
}

/** A row in a popover that acts like a menu entry. */
export function MenuItem({ children, checked, onSelect, hint }: { children: ReactNode; checked?: boolean; onSelect: () => void; hint?: ReactNode }) {
  return (
    <P.Close asChild>
      <button type="button" className={css.item} aria-current={checked || undefined} onClick={onSelect}>
        <span className={css.check} aria-hidden>
          {checked ? "✓" : ""}
        </span>
        <span className={css.text}>{children}</span>
        {hint && <span className={css.hint}>{hint}</span>}
      </button>
    </P.Close>
  );
}
