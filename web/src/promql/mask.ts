// Variables are no PromQL: for checking and highlighting what is around them they are replaced by something valid of
// the same length, so that positions stay.

const TOKEN = /\$\{\w+(?::\w+)?\}|\$\w+/g;

export function mask(text: string): string {
  if (!text.includes("$")) return text;
  return text.replace(TOKEN, (token, at: number) => {
    if (inString(text, at)) return token;
    return duration(text, at) ? "1m".padEnd(token.length) : "x".padEnd(token.length, "_");
  });
}

/** After [ or : within brackets, and after offset, a duration is wanted. */
function duration(text: string, at: number): boolean {
  const before = text.slice(0, at).trimEnd();
  return /[[:]$/.test(before) || /\boffset\s*-?$/.test(before);
}

function inString(text: string, at: number): boolean {
  let quote = "";
  for (let i = 0; i < at; i++) {
    const c = text[i]!;
    if (quote) {
      if (c === "\\" && quote !== "`") i++;
      else if (c === quote) quote = "";
    } else if (c === '"' || c === "'" || c === "`") quote = c;
    else if (c === "#") {
      const end = text.indexOf("\n", i);
      if (end < 0 || end >= at) return true; // in a comment: it is not read either
      i = end;
    }
  }
  return quote !== "";
}
