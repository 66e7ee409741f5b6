import type { Red } from "@/api/types";
import { Num } from "@/ui/Num";
import { errorTone } from "@/ui/redColumns";
import css from "./Page.module.css";

/** Requests, errors and latency of a node or a call. */
export function RedCard({ title, red }: { title: string; red: Red }) {
  return (
    <>
      <p className={css.cardTitle}>{title}</p>
      <dl className={css.cardList}>
        <div>
          <dt>Requests</dt>
          <dd>
            <Num value={red.rate} unit="rate" />
          </dd>
        </div>
        <div>
          <dt>Errors</dt>
          <dd>
            <Num value={red.error_ratio} unit="ratio" tone={errorTone(red)} />
          </dd>
        </div>
        <div>
          <dt>p50</dt>
          <dd>
            <Num value={red.p50_ns} unit="ns" />
          </dd>
        </div>
        <div>
          <dt>p99</dt>
          <dd>
            <Num value={red.p99_ns} unit="ns" />
          </dd>
        </div>
      </dl>
    </>
  );
}
