import { Fragment, useEffect } from "react";
import { Link, useMatches } from "@tanstack/react-router";
import css from "./Shell.module.css";

export interface Crumb {
  label: string;
  /** A path; absent for the page itself. */
  to?: string;
}

/**
 * Built from the routes' `staticData.crumbs`, which gets the path parameters.
 * The last crumb is also the document's title.
 */
export function Breadcrumb() {
  const match = useMatches().at(-1);
  const crumbs = match?.staticData.crumbs?.(match.params as Record<string, string>) ?? [];
  const title = crumbs.map((c) => c.label).reverse().join(" · ");
  useEffect(() => {
    document.title = title ? `${title} · Tidemark` : "Tidemark";
  }, [title]);
  return (
    <nav aria-label="Breadcrumb" className={css.crumbs}>
      {crumbs.map((c, i) => (
        <Fragment key={i}>
          {i > 0 && (
            <span className={css.slash} aria-hidden>
              /
            </span>
          )}
          {c.to ? (
            <Link to={c.to as never} className={css.crumbLink}>
              {c.label}
            </Link>
          ) : (
            <span className={css.crumb} aria-current="page">
              {c.label}
            </span>
          )}
        </Fragment>
      ))}
    </nav>
  );
}
