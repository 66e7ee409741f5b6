import { ApiError } from "@/api/client";
import type { Signal } from "./useSuggestions";
import css from "./Unclear.module.css";

/** Did the server answer that it cannot read the search itself? */
export const isUnclear = (...errors: unknown[]): boolean => errors.some((e) => e instanceof ApiError && e.status === 400 && (e.problem as { field?: string }).field === "q");

const SHARED: [string, string][] = [
  ["service:checkout", "a value, exactly; quote it when it has spaces"],
  ["http.route:/cart/*", "* stands for any text"],
  ["-service:frontend", "everything but"],
  ["(region:eu OR region:us)", "one of several"],
  ["has:db.query.text", "an attribute is there"],
];

const EXAMPLES: Record<Signal, [string, string][]> = {
  traces: [["duration>500ms", "slower than"], ["status:error", "failed"], ["root:true", "where the trace began"], ...SHARED],
  logs: [["severity>=warn", "at least a warning"], ['"timed out"', "words in the body"], ...SHARED],
  metrics: SHARED,
};

/** In the place of results while the search cannot be read: how to write one. The line itself says what is wrong. */
export function Unclear({ signal }: { signal: Signal }) {
  return (
    <section className={css.card} aria-label="How to search">
      <h2 className={css.title}>The search cannot be read yet</h2>
      <p className={css.why}>The place is underlined above. Terms side by side must all hold:</p>
      <dl className={css.list}>
        {EXAMPLES[signal].map(([term, meaning]) => (
          <div key={term} className={css.row}>
            <dt>
              <code>{term}</code>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
