-- Tables that get a few rows with every flush, once or twice a second: as long as a day's part is small, the server merges
-- it anew with every two of them. In an hour of a small shop each row of a rollup was rewritten 350 times, nine tenths of
-- all that the engine did. At least 16 parts at once is what spans and logs are merged by (0007).
{{range $r := list "red_10s" "red_1m" "red_1h" "trace_index" "attribute_values"}}
ALTER TABLE {{table $r}} MODIFY SETTING min_parts_to_merge_at_once = 16;
{{end}}
