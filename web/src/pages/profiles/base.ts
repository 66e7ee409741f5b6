/** What the address says to compare with, as parameters; undefined for nothing. The empty object is the time before. */
export function baseOf(vs: string | undefined): { base_version?: string; base_instance?: string; base_from?: string; base_to?: string } | undefined {
  if (!vs) return undefined;
  if (vs === "before") return {};
  const i = vs.indexOf(":");
  const value = vs.slice(i + 1);
  switch (vs.slice(0, i)) {
    case "version":
      return { base_version: value };
    case "instance":
      return { base_instance: value };
    case "from": {
      const [from, to] = value.split(",");
      return { base_from: from, base_to: to };
    }
  }
  return undefined;
}

/** The same in words. */
export function baseWords(vs: string): string {
  if (vs === "before") return "the time just before";
  const i = vs.indexOf(":");
  if (vs.startsWith("from:")) return "another time";
  return `${vs.slice(0, i)} ${vs.slice(i + 1)}`;
}
