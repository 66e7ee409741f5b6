import { useState } from "react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { ApiError, post } from "@/api/client";
import { ingestKeysQuery } from "@/api/queries";
import type { IngestKey } from "@/api/types";
import { toast } from "@/app/toast";
import { ago, format } from "@/lib/format";
import { keyMay, keyRefused, UNDO_MS } from "@/lib/ingestkeys";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Panel";
import { Empty, Query } from "@/ui/States";
import { Time } from "@/ui/Time";
import { NewKey } from "./NewKey";
import css from "./Keys.module.css";

/** Who may send telemetry. */
export function Keys() {
  const q = useQuery(ingestKeysQuery());
  const [making, setMaking] = useState(false);
  return (
    <div id="ingest-keys">
      <Panel
        title="Ingest keys"
        aside={
          <Button size="sm" onClick={() => setMaking(true)}>
            <Plus size={14} aria-hidden /> New key
          </Button>
        }
      >
        <Query query={q}>
          {({ keys, required, now_ms }) => (
            <>
              <p className={css.lead}>
                {required ? "Whoever sends telemetry must show a key." : "Nobody needs a key to send here. A key that is sent is held to its signals and limits."}
              </p>
              {keys.length === 0 ? (
                <Empty title="No ingest key yet">One for each team or cluster, so that it can be limited and revoked alone.</Empty>
              ) : (
                <ul className={css.list} aria-label="Ingest keys">
                  {keys.map((k) => (
                    <Row key={k.id} of={k} now={now_ms} />
                  ))}
                </ul>
              )}
            </>
          )}
        </Query>
      </Panel>
      <NewKey open={making} close={() => setMaking(false)} />
    </div>
  );
}

function Row({ of: k, now }: { of: IngestKey; now: number }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (verb: "revoke" | "restore") => post<IngestKey>(`/settings/ingest-keys/${encodeURIComponent(k.id)}/${verb}`),
    onSuccess: (_, verb) => {
      void client.invalidateQueries({ queryKey: ingestKeysQuery().queryKey });
      if (verb === "revoke") toast(`${k.name} is revoked`, { action: { label: "Undo", run: () => change.mutate("restore") } });
      else toast(`${k.name} is good again`);
    },
    onError: (e) => toast(e instanceof ApiError ? `Not done: ${e.detail ?? e.message}` : "Not done", { tone: "bad" }),
  });
  const refused = keyRefused(k.refused);
  const undoable = k.revoked_ms !== null && now - k.revoked_ms < UNDO_MS;
  return (
    <li className={css.item} data-state={k.state}>
      <div className={css.what}>
        <p className={css.name}>
          {k.name} <code className={css.id}>tmk_{k.id}_…</code>
          {k.state !== "active" && <span className={css.state}>{k.state}</span>}
        </p>
        <p className={css.detail}>
          May send {keyMay(k)}
          {k.state === "active" && k.expires_ms !== null && (
            <>
              {" "}
              until <Time t={k.expires_ms} />
            </>
          )}
        </p>
        <p className={css.detail}>
          {k.last_use_ms === null ? "Never used" : `Used ${ago(now - k.last_use_ms)} · ${format(k.items)} items, ${format(k.bytes, "bytes")} accepted`}
          {refused && ` · ${refused}`}
        </p>
      </div>
      {k.state !== "revoked" && (
        <Button size="sm" aria-label={`Revoke ${k.name}`} disabled={change.isPending} onClick={() => change.mutate("revoke")}>
          Revoke
        </Button>
      )}
      {undoable && (
        <Button size="sm" aria-label={`Restore ${k.name}`} disabled={change.isPending} onClick={() => change.mutate("restore")}>
          Restore
        </Button>
      )}
    </li>
  );
}
