import { ChevronDown, Download } from "lucide-react";
import { withParams } from "@/api/client";
import type { ProfileChoice } from "@/api/profiles";
import { useScope } from "@/app/range";
import { Button } from "@/ui/Button";
import { CodeBlock } from "@/ui/Copy";
import { Popover } from "@/ui/Popover";
import css from "./Selection.module.css";

/** The selection as one pprof profile: as a file, or straight into the tools that read them. */
export function Elsewhere({ choice }: { choice: ProfileChoice }) {
  const { range, env } = useScope();
  const { service, type, version, instance, label } = choice;
  const path = `/api/v1${withParams("/profiles/pprof", { service, type, version, instance, label, env, from: range.from, to: range.to })}`;
  const url = location.origin + path;
  return (
    <Popover
      label="The selection as pprof"
      trigger={
        <Button>
          pprof <ChevronDown size={13} aria-hidden />
        </Button>
      }
    >
      <div className={css.elsewhere}>
        <a className={css.download} href={path} download>
          <Download size={14} aria-hidden /> Download the merged profile
        </a>
        <div>
          <p>Open it in the terminal, or with its own pages in a browser:</p>
          <CodeBlock label="Commands for go tool pprof" text={`go tool pprof '${url}'\ngo tool pprof -http=: '${url}'`} />
        </div>
      </div>
    </Popover>
  );
}
