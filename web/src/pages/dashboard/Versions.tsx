import { useQuery } from "@tanstack/react-query";
import type { DashboardVersion } from "@/api/dashboards";
import { plain } from "@/api/queries";
import { plural } from "@/lib/format";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Query, SkeletonRows } from "@/ui/States";
import { Time } from "@/ui/Time";
import type { Document } from "./useBoard";
import css from "./Versions.module.css";

/** Every save of the dashboard: look at one, or make it the newest again. */
export default function Versions({ doc, onClose, onLook }: { doc: Document; onClose: () => void; onLook: (version: number) => void }) {
  const path = `/dashboards/${encodeURIComponent(doc.now.id)}/versions`;
  const q = useQuery({ ...plain<{ versions: DashboardVersion[] }>(path), refetchOnMount: "always" });
  return (
    <Dialog open onClose={onClose} label="Versions" className={css.dialog}>
      <header className={css.head}>
        <h2>Versions of {doc.now.title}</h2>
        <Button onClick={onClose}>Close</Button>
      </header>
      <Query query={q} skeleton={<SkeletonRows rows={5} height={44} />}>
        {({ versions }) =>
          versions.length === 0 ? (
            <p className={css.none}>It was never changed.</p>
          ) : (
            <ol className={css.list}>
              {versions.map((v) => (
                <li key={v.version} className={css.version}>
                  <span className={css.number}>{v.version || "–"}</span>
                  <span className={css.what}>
                    <span>{v.message || "Saved"}</span>
                    <span className={css.facts}>
                      {v.version > 0 && <Time t={Date.parse(v.saved_at)} />} {plural(v.panels, "panel")}
                    </span>
                  </span>
                  {v.version === doc.now.version ? (
                    <span className={css.facts}>newest</span>
                  ) : (
                    <>
                      <Button size="sm" onClick={() => onLook(v.version)}>
                        Look
                      </Button>
                      <Button size="sm" onClick={() => void doc.restore(v.version).then(onClose)} aria-label={`Restore version ${v.version}`}>
                        Restore
                      </Button>
                    </>
                  )}
                </li>
              ))}
            </ol>
          )
        }
      </Query>
    </Dialog>
  );
}
