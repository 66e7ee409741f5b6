import { setTheme, type Theme, useTheme } from "@/app/theme";
import { useScope, useScopeActions } from "@/app/range";
import { Panel } from "@/ui/Panel";
import { Segmented } from "@/ui/Tabs";
import css from "./Page.module.css";

const THEMES: { id: Theme; label: string }[] = [
  { id: "system", label: "System" },
  { id: "light", label: "Light" },
  { id: "dark", label: "Dark" },
];

export function Appearance() {
  const theme = useTheme();
  const { utc } = useScope();
  const { setUTC } = useScopeActions();
  return (
    <Panel title="Appearance">
      <div className={css.rows}>
        <div className={css.row}>
          <div>
            <p className={css.name}>Theme</p>
            <p className={css.hint}>Kept in this browser.</p>
          </div>
          <Segmented label="Theme" options={THEMES} value={theme} onChange={setTheme} />
        </div>
        <div className={css.row}>
          <div>
            <p className={css.name}>Time zone</p>
            <p className={css.hint}>Part of the address, so that a link shows the same times. Both zones appear when you point at a time.</p>
          </div>
          <Segmented
            label="Time zone"
            value={utc ? "utc" : "local"}
            onChange={(z) => setUTC(z === "utc")}
            options={[
              { id: "local", label: "Local" },
              { id: "utc", label: "UTC" },
            ]}
          />
        </div>
      </div>
    </Panel>
  );
}
