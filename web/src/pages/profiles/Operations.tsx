import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { operationsOfFunction, type ProfileChoice } from "@/api/profiles";
import type { FrameOperationsAnswer } from "@/api/types";
import { useScope } from "@/app/range";
import { unitOf } from "@/lib/profiletype";
import { Num } from "@/ui/Num";
import { ServiceDot } from "@/ui/Service";
import { Query, Skeleton } from "@/ui/States";
import css from "./Page.module.css";

const SHOWN = 6;

/** The operations whose requests spend time in a function, and how that is known. */
export function Operations({ choice, fn }: { choice: ProfileChoice; fn: string }) {
  const scope = useScope();
  const q = useQuery(operationsOfFunction(scope, choice, fn));
  return (
    <section className={css.operations} aria-label="Operations that spend time here">
      <Query query={q} skeleton={<Skeleton height={64} />}>
        {(data) => <List data={data} />}
      </Query>
    </section>
  );
}

function List({ data }: { data: FrameOperationsAnswer }) {
  const measured = data.by !== "traffic";
  return (
    <>
      <p className={css.small}>{data.sentence}</p>
      {data.operations.length > 0 && (
        <div className={css.moversBox}>
          <table className={css.movers}>
            <thead>
              <tr>
                <th scope="col">Operation</th>
                {measured && <th scope="col">In this function</th>}
                {measured && <th scope="col">Share</th>}
                <th scope="col">Requests</th>
                <th scope="col">p95</th>
              </tr>
            </thead>
            <tbody>
              {data.operations.slice(0, SHOWN).map((o) => (
                <tr key={`${o.service} ${o.name} ${o.kind}`}>
                  <td>
                    <Link to="/services/$service" params={{ service: o.service }} search={{ operation: o.name } as never} className={css.operation}>
                      <ServiceDot name={o.service} /> {o.name}
                    </Link>
                  </td>
                  {measured && (
                    <td>
                      <Num value={o.value} unit={unitOf(data.unit)} />
                    </td>
                  )}
                  {measured && (
                    <td>
                      <Num value={o.share} unit="ratio" />
                    </td>
                  )}
                  <td>
                    <Num value={o.requests} unit="count" />
                  </td>
                  <td>
                    <Num value={o.p95_ns} unit="ns" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
