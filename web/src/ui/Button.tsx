import type { ButtonHTMLAttributes, ReactNode } from "react";
import css from "./Button.module.css";
import { Tip } from "./Tip";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  tone?: "plain" | "ghost" | "primary" | "danger";
  size?: "md" | "sm";
  pressed?: boolean;
}

export function Button({ tone = "plain", size = "md", pressed, className, ...rest }: Props) {
  return <button type="button" {...rest} aria-pressed={pressed} data-tone={tone} data-size={size} className={`${css.button} ${className ?? ""}`} />;
}

/** A square button with an icon; the label is its name for screen readers and its tooltip. */
export function IconButton({ label, children, keys, ...rest }: Props & { label: string; keys?: string; children: ReactNode }) {
  return (
    <Tip text={label} keys={keys}>
      <Button tone="ghost" {...rest} aria-label={label} className={`${css.icon} ${rest.className ?? ""}`}>
        {children}
      </Button>
    </Tip>
  );
}
