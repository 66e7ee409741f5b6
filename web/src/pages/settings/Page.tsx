import { Page } from "@/ui/Panel";
import { About } from "./About";
import { Appearance } from "./Appearance";
import { Keys } from "./Keys";
import { Retention } from "./Retention";
import { Storage } from "./Storage";
import css from "./Page.module.css";

export default function SettingsPage() {
  return (
    <div className={css.page}>
      <Page title="Settings">
        <Appearance />
        <Keys />
        <Retention />
        <Storage />
        <About />
      </Page>
    </div>
  );
}
