import { useEffect, useMemo, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { post } from "@/api/client";

const DELAY_MS = 350;

/** Asks what a draft would have done in the past, a moment after the last change. */
export function usePreview<T>(path: string, draft: object | null, hours: number) {
  const text = draft ? JSON.stringify(draft) : "";
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), DELAY_MS);
    return () => clearTimeout(timer);
  }, [text]);
  // The window is taken when the draft settles, so that it does not move while one reads.
  const window = useMemo(() => {
    const to = Date.now();
    return { from: new Date(to - hours * 3_600_000).toISOString(), to: new Date(to).toISOString() };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [settled, hours]);
  const q = useQuery({
    queryKey: [path, settled, hours],
    queryFn: ({ signal }) => post<T>(path, { ...(JSON.parse(settled) as object), ...window }, signal),
    enabled: settled !== "",
    placeholderData: (old) => old,
    retry: false,
    staleTime: 60_000,
  });
  return { ...q, stale: text !== settled || q.isPlaceholderData, span: { from: Date.parse(window.from), to: Date.parse(window.to) } };
}
