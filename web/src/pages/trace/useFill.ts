import { type RefCallback, useCallback, useLayoutEffect, useState } from "react";

const MARGIN = 16;

/** The height that reaches from the element's top to the window's bottom, at least `least`. */
export function useFill(least: number): [RefCallback<HTMLElement>, number] {
  const [el, setEl] = useState<HTMLElement | null>(null);
  const [height, setHeight] = useState(least);
  const measure = useCallback(() => {
    if (!el) return;
    const top = el.getBoundingClientRect().top + scrollY;
    setHeight(Math.max(least, Math.floor(innerHeight - top - MARGIN)));
  }, [el, least]);
  useLayoutEffect(() => {
    measure();
    addEventListener("resize", measure);
    // What stands above may grow when answers come.
    const observer = new ResizeObserver(measure);
    if (el?.parentElement) for (const child of el.parentElement.children) if (child !== el) observer.observe(child);
    return () => {
      removeEventListener("resize", measure);
      observer.disconnect();
    };
  }, [el, measure]);
  return [setEl, height];
}
