// A small part of Markdown, straight to elements: no HTML passes through. Headings, lists, code, quotes, bold,
// emphasis and links are what people write on dashboards.
import { Fragment, type ReactNode } from "react";
import css from "./panels.module.css";

export function Markdown({ text }: { text: string }) {
  return <div className={`${css.markdown} prose`}>{blocks(text)}</div>;
}

function blocks(text: string): ReactNode[] {
  const out: ReactNode[] = [];
  const lines = text.replace(/\r/g, "").split("\n");
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]!;
    const take = (test: (l: string) => boolean) => {
      const from = i;
      while (i < lines.length && test(lines[i]!)) i++;
      return lines.slice(from, i);
    };
    const heading = /^(#{1,4})\s+(.*)$/.exec(line);
    if (line.trim() === "") i++;
    else if (line.startsWith("```")) {
      i++;
      const code = take((l) => !l.startsWith("```"));
      i++;
      out.push(<pre key={out.length}>{code.join("\n")}</pre>);
    } else if (heading) {
      i++;
      const Tag = heading[1]!.length <= 1 ? "h3" : "h4";
      out.push(<Tag key={out.length}>{inline(heading[2]!)}</Tag>);
    } else if (/^\s*[-*+]\s/.test(line)) out.push(<ul key={out.length}>{items(take((l) => /^\s*[-*+]\s/.test(l)), /^\s*[-*+]\s+/)}</ul>);
    else if (/^\s*\d+[.)]\s/.test(line)) out.push(<ol key={out.length}>{items(take((l) => /^\s*\d+[.)]\s/.test(l)), /^\s*\d+[.)]\s+/)}</ol>);
    else if (line.startsWith(">")) out.push(<blockquote key={out.length}>{inline(take((l) => l.startsWith(">")).map((l) => l.replace(/^>\s?/, "")).join(" "))}</blockquote>);
    else out.push(<p key={out.length}>{inline(take((l) => l.trim() !== "" && !/^(```|#{1,4}\s|>|\s*[-*+]\s|\s*\d+[.)]\s)/.test(l)).join("\n") || (i++, line))}</p>);
  }
  return out;
}

const items = (lines: readonly string[], mark: RegExp) => lines.map((l, i) => <li key={i}>{inline(l.replace(mark, ""))}</li>);

const INLINE = /(`[^`]+`)|(\*\*[^*]+\*\*)|(\*[^*\s][^*]*\*|\b_[^_\s][^_]*_\b)|\[([^\]]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>)]+)/;

export const safeLink = (url: string): boolean => /^(\/(?![/\\])|https?:\/\/)/.test(url);

function inline(text: string): ReactNode {
  const m = INLINE.exec(text);
  if (!m) return text;
  const before = text.slice(0, m.index);
  const after = text.slice(m.index + m[0].length);
  return (
    <>
      {before}
      {piece(m)}
      <Fragment>{inline(after)}</Fragment>
    </>
  );
}

function piece(m: RegExpExecArray): ReactNode {
  if (m[1]) return <code>{m[1].slice(1, -1)}</code>;
  if (m[2]) return <strong>{inline(m[2].slice(2, -2))}</strong>;
  if (m[3]) return <em>{m[3].slice(1, -1)}</em>;
  const url = m[5] ?? m[6]!;
  if (!safeLink(url)) return m[4] ?? url;
  return (
    <a href={url} rel="noreferrer" target={url.startsWith("/") ? undefined : "_blank"}>
      {m[4] ?? url}
    </a>
  );
}
