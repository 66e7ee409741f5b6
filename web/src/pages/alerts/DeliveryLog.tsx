import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { plain } from "@/api/queries";
import type { DeliveriesAnswer, Delivery } from "@/api/types";
import { moment } from "@/lib/incident";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { Empty, Query } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { useSort } from "@/ui/useSort";
import { channelsQuery } from "./Channels";
import css from "./DeliveryLog.module.css";

const POLL_MS = 5_000;
const STATE: Record<string, string> = { firing: "began", updated: "changed", repeated: "lasts", resolved: "is over", test: "test" };
const STATUS: Record<string, string> = { pending: "on its way", delivered: "delivered", failed: "failed", suppressed: "held back" };

interface Row extends Delivery {
  channelName: string;
}

/** Every message, whether it arrived, and what the receiver said. */
export function DeliveryLog() {
  const q = useQuery(plain<DeliveriesAnswer>("/deliveries", { limit: 500 }, POLL_MS));
  const channels = useQuery(channelsQuery());
  const sort = useSort("time");
  return (
    <Panel flush>
      <Query query={q}>
        {({ deliveries }) =>
          deliveries.length === 0 ? (
            <Empty title="No message was sent yet">Each message is listed here with the receiver's answer and how often it was tried. Send a test from the channels tab to see one.</Empty>
          ) : (
            <Table
              label="Deliveries"
              rows={deliveries.map((d): Row => ({ ...d, channelName: channels.data?.channels.find((c) => c.id === d.channel)?.name ?? d.channel }))}
              columns={columns}
              rowKey={(d) => d.id}
              {...sort}
              csvName="deliveries"
            />
          )
        }
      </Query>
    </Panel>
  );
}

const columns: Column<Row>[] = [
  { id: "time", label: "When", width: "136px", sort: (d) => moment(d.updated_at) ?? moment(d.created_at) ?? 0, render: (d) => <Time t={moment(d.updated_at) ?? moment(d.created_at) ?? 0} /> },
  { id: "channel", label: "Channel", width: "minmax(110px, 1fr)", sort: (d) => d.channelName, first: "asc", render: (d) => d.channelName },
  {
    id: "what",
    label: "Told",
    width: "minmax(90px, 1fr)",
    sort: (d) => d.state,
    secondary: true,
    render: (d) =>
      d.incident ? (
        <Link to="/incidents/$incident" params={{ incident: d.incident }} className="link">
          Incident {STATE[d.state] ?? d.state}
        </Link>
      ) : (
        (STATE[d.state] ?? d.state)
      ),
  },
  {
    id: "status",
    label: "Result",
    width: "96px",
    sort: (d) => d.status,
    render: (d) => (
      <span className={css.status} data-status={d.status}>
        {STATUS[d.status] ?? d.status}
      </span>
    ),
  },
  { id: "attempts", label: "Tries", width: "60px", align: "right", secondary: true, sort: (d) => d.attempts, render: (d) => <Num value={d.attempts} /> },
  {
    id: "answer",
    label: "Answer",
    width: "minmax(160px, 3fr)",
    secondary: true,
    sort: (d) => d.answer,
    render: (d) => (
      <span className="mono" title={d.answer}>
        {d.answer || "–"}
        {d.status === "pending" && moment(d.next_try) !== null && (
          <>
            {" "}
            · again at <Time t={moment(d.next_try)!} date={false} />
          </>
        )}
      </span>
    ),
  },
];
