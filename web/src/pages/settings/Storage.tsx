import { useQuery } from "@tanstack/react-query";
import { storageQuery } from "@/api/queries";
import type { StorageAnswer } from "@/api/types";
import { format } from "@/lib/format";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { Query } from "@/ui/States";
import { Time } from "@/ui/Time";
import css from "./Page.module.css";

export function Storage() {
  const q = useQuery(storageQuery());
  return (
    <Panel title="Storage">
      <Query query={q}>{(answer) => <Tables answer={answer} />}</Query>
    </Panel>
  );
}

function Tables({ answer }: { answer: StorageAnswer }) {
  const total = answer.tables.reduce((sum, t) => sum + t.bytes, 0);
  const disk = answer.disk_total_bytes;
  const others = disk && answer.disk_free_bytes !== null ? Math.max(0, disk - answer.disk_free_bytes - total) : 0;
  const share = (bytes: number) => `${disk ? (bytes / disk) * 100 : 0}%`;
  return (
    <>
      <p className={css.lead}>
        Tidemark holds {format(total, "bytes")}
        {disk && answer.disk_free_bytes !== null && ` on a disk of ${format(disk, "bytes")} with ${format(answer.disk_free_bytes, "bytes")} free`}.
      </p>
      {disk && (
        <div className={css.bar} role="img" aria-label="Share of the disk in use">
          <span className={css.ours} style={{ width: share(total) }} />
          <span className={css.used} style={{ width: share(others) }} />
        </div>
      )}
      <div className={css.scroll}>
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">Table</th>
              <th scope="col">Rows</th>
              <th scope="col">Size</th>
              <th scope="col">Per row</th>
              <th scope="col">Oldest</th>
            </tr>
          </thead>
          <tbody>
            {answer.tables.map((t) => (
              <tr key={t.table}>
                <td className="mono">{t.table}</td>
                <td>
                  <Num value={t.rows} />
                </td>
                <td>
                  <Num value={t.bytes} unit="bytes" />
                </td>
                <td>
                  <Num value={t.rows ? t.bytes / t.rows : null} unit="bytes" />
                </td>
                <td>{t.oldest_ms ? <Time t={t.oldest_ms} /> : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
