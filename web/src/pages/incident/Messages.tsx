import { Link } from "@tanstack/react-router";
import type { UseQueryResult } from "@tanstack/react-query";
import type { DeliveriesAnswer } from "@/api/types";
import { moment } from "@/lib/incident";
import { Panel } from "@/ui/Panel";
import { Query, SkeletonRows } from "@/ui/States";
import { Time } from "@/ui/Time";
import css from "./Messages.module.css";

const STATE: Record<string, string> = { firing: "It began", updated: "It changed", repeated: "It lasts", resolved: "It is over", test: "A test" };
const STATUS: Record<string, string> = { pending: "on its way", delivered: "delivered", failed: "failed", suppressed: "held back" };

/** Who was told what, and how they answered. */
export function Messages({ query, nameOf, hasChannels }: { query: UseQueryResult<DeliveriesAnswer>; nameOf: (channel: string) => string; hasChannels: boolean | undefined }) {
  return (
    <Panel title="Messages">
      <Query query={query} skeleton={<SkeletonRows rows={2} />}>
        {({ deliveries }) =>
          deliveries.length === 0 ? (
            <p className={css.none}>
              {hasChannels === false ? (
                <>
                  Nobody was told: there is no channel yet.{" "}
                  <Link to="/alerts" search={{ tab: "channels", edit: "new" }} className="link">
                    Set one up
                  </Link>
                </>
              ) : (
                "Nobody was told of this one."
              )}
            </p>
          ) : (
            <ul className={css.list} aria-label="Messages delivered">
              {deliveries.map((d) => (
                <li key={d.id} className={css.item} data-status={d.status}>
                  <span className={css.channel}>{nameOf(d.channel)}</span>
                  <span className={css.what}>{STATE[d.state] ?? d.state}</span>
                  <span className={css.status}>{STATUS[d.status] ?? d.status}</span>
                  <Time t={moment(d.updated_at) ?? moment(d.created_at) ?? 0} date={false} />
                  {d.answer && <span className={css.answer}>{d.answer}</span>}
                </li>
              ))}
            </ul>
          )
        }
      </Query>
    </Panel>
  );
}
