import type { ReactElement } from "react";
import * as Tooltip from "@radix-ui/react-tooltip";
import css from "./Tip.module.css";
import { Kbd } from "./Kbd";

/** A tooltip around one focusable element. */
export function Tip({ text, keys, side, children }: { text: string; keys?: string; side?: "top" | "right" | "bottom" | "left"; children: ReactElement }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className={css.tip} sideOffset={6} side={side} collisionPadding={8}>
          {text}
          {keys && <Kbd keys={keys} />}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

export const TipProvider = Tooltip.Provider;
