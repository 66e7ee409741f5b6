-- What 0007 and 0010 ask for, and did not get: of the 16 parts that the server chose it dropped those at the right that are
-- under 1 % of the whole, which left a day's large part and one new flush, so that every flush rewrote the day. A shop of
-- six requests a second inserted 390 rows a second and merged 170,000, half a core.
-- * No such dropping: what was chosen is merged.
-- * A part is merged with others only if together they are about 13 times its size, each counting 5 MB more than it has:
--   16 flushes among themselves, but not with a part of more than a few megabytes. As parts become many the factor falls
--   by itself, to 2 from 50 parts on.
{{range $r := list "spans" "logs" "red_10s" "red_1m" "red_1h" "trace_index" "attribute_values" "edges" "metric_samples" "metric_distributions" "metric_exemplars" "metric_series" "resources"}}
ALTER TABLE {{table $r}} MODIFY SETTING min_parts_to_merge_at_once = 16, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, merge_selector_base = 13;
{{end}}
{{range $r := list "profiles" "profile_values" "profile_stacks" "profile_locations" "profile_mappings" "profile_rollups"}}
ALTER TABLE {{table $r}} MODIFY SETTING merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0;
{{end}}
