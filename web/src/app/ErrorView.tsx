import { useMemo } from "react";
import type { ErrorComponentProps } from "@tanstack/react-router";
import { Link } from "@tanstack/react-router";
import { Button } from "@/ui/Button";
import { CopyText } from "@/ui/Copy";
import { Empty } from "@/ui/States";

/** A page that threw: the rest of the application still works. The id is also in the browser's console. */
export function ErrorView({ error: thrown, reset }: ErrorComponentProps) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const id = useMemo(() => `ui-${Math.random().toString(36).slice(2, 10)}`, [thrown]);
  const stale = /dynamically imported module|module script failed/i.test(error.message);
  useMemo(() => console.error(id, thrown), [id, thrown]);
  return (
    <Empty
      page
      title={stale ? "Tidemark was updated" : "This page stopped working"}
      action={
        <>
          <Button onClick={() => (stale ? location.reload() : reset())}>{stale ? "Load the new version" : "Try again"}</Button>
          {!stale && <CopyText label="Quote this id" text={id} />}
        </>
      }
    >
      <p>{stale ? "This tab has the version before." : error.message}</p>
      {!stale && <p>The other pages still work, and nothing that was sent to Tidemark is affected.</p>}
    </Empty>
  );
}

export function NotFound() {
  return (
    <Empty page title="There is no such page" action={<Link to="/services" className="link">Go to the services</Link>}>
      <p>The address may be from a newer version, or mistyped.</p>
    </Empty>
  );
}
