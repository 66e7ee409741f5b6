// What a view shows when it has nothing to show: waiting, empty, or failed.
import type { CSSProperties, ReactNode } from "react";
import { ApiError } from "@/api/client";
import { Button } from "./Button";
import { CodeBlock, CopyText } from "./Copy";
import css from "./States.module.css";

/** A grey shape of what comes. Give it the size of the real thing. */
export function Skeleton({ width = "100%", height = 14, style }: { width?: CSSProperties["width"]; height?: CSSProperties["height"]; style?: CSSProperties }) {
  return <span className={css.skeleton} style={{ width, height, ...style }} aria-hidden />;
}

/** Rows as a table would have them. */
export function SkeletonRows({ rows = 8, height = 34 }: { rows?: number; height?: number }) {
  return (
    <div role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className={css.row} style={{ height }}>
          <Skeleton width={`${18 + ((i * 37) % 14)}%`} height={10} />
          <span className={css.gap} />
          <Skeleton width={48} height={10} />
          <Skeleton width={48} height={10} />
          <Skeleton width={64} height={10} />
        </div>
      ))}
    </div>
  );
}

/** Nothing here: says why, and what to do. `command` is offered for copying. */
export function Empty({ title, children, command, action, page }: { title: string; children?: ReactNode; command?: string; action?: ReactNode; /** It is the whole page: its title is the heading. */ page?: boolean }) {
  const Title = page ? "h1" : "p";
  return (
    <div className={css.empty}>
      <Title className={css.title}>{title}</Title>
      {children && <div className={css.why}>{children}</div>}
      {command && (command.includes("\n") ? <div className={css.code}><CodeBlock text={command} label="Configuration" /></div> : <CopyText text={command} />)}
      {action}
    </div>
  );
}

/** A failed query: what happened, what still works, a retry, and the id to quote. */
export function Failed({ error, retry, still }: { error: unknown; retry?: () => void; still?: string }) {
  const api = error instanceof ApiError ? error : null;
  const title = api?.message ?? (error instanceof Error ? error.message : "Something went wrong");
  return (
    <div className={css.empty} role="alert">
      <p className={css.title}>{title}</p>
      <div className={css.why}>
        {api?.detail && <p>{api.detail}</p>}
        {still && <p>{still}</p>}
      </div>
      <div className={css.actions}>
        {retry && <Button onClick={retry}>Try again</Button>}
        {api?.id && <CopyText text={api.id} label="Quote this id" />}
      </div>
    </div>
  );
}

/** Above an older answer when a newer one could not be had. */
function Stale({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <p className={css.stale} role="status">
      Shown as last answered: {error instanceof Error ? error.message : "the newest could not be had"}.
      <button type="button" className={css.again} onClick={retry}>
        Try again
      </button>
    </p>
  );
}

interface QueryLike<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** The usual switch over a query: skeleton, failure (only when there is nothing older to show), content. */
export function Query<T>({ query, skeleton, children }: { query: QueryLike<T>; skeleton?: ReactNode; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) {
    return (
      <>
        {!!query.error && <Stale error={query.error} retry={() => void query.refetch()} />}
        {children(query.data)}
      </>
    );
  }
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return skeleton ?? <SkeletonRows />;
}
