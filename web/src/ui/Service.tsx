import { colorOf } from "@/lib/color";
import css from "./Service.module.css";

const LANGUAGES: Record<string, [mark: string, name: string]> = {
  go: ["Go", "Go"],
  nodejs: ["JS", "Node.js"],
  webjs: ["JS", "Browser JavaScript"],
  python: ["Py", "Python"],
  java: ["Jv", "Java"],
  dotnet: [".N", ".NET"],
  ruby: ["Rb", "Ruby"],
  php: ["Ph", "PHP"],
  rust: ["Rs", "Rust"],
  cpp: ["C+", "C++"],
  swift: ["Sw", "Swift"],
  erlang: ["Er", "Erlang/Elixir"],
};

/** A service's dot in its lasting colour. */
export function ServiceDot({ name, size = 8 }: { name: string; size?: number }) {
  return <span className={css.dot} style={{ background: colorOf(name), width: size, height: size }} aria-hidden />;
}

/** telemetry.sdk.language as two quiet letters. */
export function LanguageMark({ language }: { language: string | null | undefined }) {
  if (!language) return <span className={css.mark} data-empty aria-hidden />;
  const [mark, name] = LANGUAGES[language.toLowerCase()] ?? [language.slice(0, 2), language];
  return (
    <span className={css.mark} title={name}>
      {mark}
      <span className="visually-hidden"> ({name})</span>
    </span>
  );
}
