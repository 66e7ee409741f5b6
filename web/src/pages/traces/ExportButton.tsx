import { Download } from "lucide-react";
import { csv, download } from "@/lib/csv";
import { Button } from "@/ui/Button";
import type { useTraceList } from "./useTraces";

const HEADER = ["time", "trace_id", "root_service", "root_name", "trace_duration_ms", "spans", "errors", "span_id", "service", "name", "kind", "status", "duration_ms", "matched_spans"];

/** The traces loaded so far as CSV. */
export function ExportButton({ list }: { list: ReturnType<typeof useTraceList> }) {
  const spans = list.data?.pages.flatMap((p) => p.spans) ?? [];
  const save = () =>
    download(
      "traces.csv",
      csv(HEADER, spans.map((s) => [
        new Date(Number(BigInt(s.trace_start_ns) / 1_000_000n)).toISOString(), s.trace_id, s.root_service, s.root_name, s.trace_duration_ns / 1e6, s.trace_spans, s.trace_errors,
        s.span_id, s.service, s.name, s.kind, s.status, s.duration_ns / 1e6, s.matched_spans,
      ])),
    );
  return (
    <Button disabled={spans.length === 0} onClick={save}>
      <Download size={14} aria-hidden /> CSV
    </Button>
  );
}
