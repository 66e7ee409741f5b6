import { ChevronDown } from "lucide-react";
import { useQuery } from "@tanstack/react-query";
import { statusQuery } from "@/api/queries";
import { Button } from "@/ui/Button";
import { MenuItem, Popover } from "@/ui/Popover";
import css from "./EnvFilter.module.css";
import { useScope, useScopeActions } from "./range";

/** deployment.environment.name for the whole page. Hidden while there is nothing to choose from. */
export function EnvFilter() {
  const { env } = useScope();
  const { setEnv } = useScopeActions();
  const { data } = useQuery(statusQuery());
  const list = data?.environments.filter(Boolean) ?? [];
  if (list.length === 0 && !env) return null;
  return (
    <Popover
      label="Environment"
      trigger={
        <Button tone="ghost" aria-label={`Environment: ${env ?? "all"}`}>
          <span className={css.name}>{env ?? <>All<span className={css.wide}> environments</span></>}</span>
          <ChevronDown size={13} aria-hidden />
        </Button>
      }
    >
      <MenuItem checked={!env} onSelect={() => setEnv(undefined)}>
        All environments
      </MenuItem>
      {[...new Set(env ? [...list, env] : list)].map((e) => (
        <MenuItem key={e} checked={e === env} onSelect={() => setEnv(e)}>
          {e}
        </MenuItem>
      ))}
    </Popover>
  );
}
