import { useEffect, useState } from "react";

/** The present, renewed every few seconds: for durations that grow while one looks. */
export function useNow(everyMs = 10_000): number {
  const [now, set] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || set(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
