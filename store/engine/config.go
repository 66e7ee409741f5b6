package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"path/filepath"
	"strings"
)

// user is the only account of the embedded engine.
const user = "tidemark"

// writeConfig leaves config.xml and users.xml in dir and returns the former's path. Both are readable by their owner
// alone; the password is stored as its SHA-256 only.
func writeConfig(dir, password string, o Options) (string, error) {
	digest := sha256.Sum256([]byte(password))
	users := fmt.Sprintf(usersXML, user, hex.EncodeToString(digest[:]), o.QueryMemory)
	if err := writeFile(filepath.Join(dir, "users.xml"), []byte(users)); err != nil {
		return "", err
	}
	esc := func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
		return b.String()
	}
	config := fmt.Sprintf(configXML, esc(filepath.Join(dir, "engine.log")),
		esc(filepath.Join(dir, "users.xml")), esc(filepath.Join(dir, "tmp")+"/"), o.MemoryRatio, o.MaxMemory, o.MarkCache, o.Threads, o.Threads)
	file := filepath.Join(dir, "config.xml")
	return file, writeFile(file, []byte(config))
}

// The sections of the system's own log tables (query_log, text_log, …) are left out on purpose: naming one, even to
// remove it, creates it, and each grows without bound beside the user's data.
// log-level is what counts here: logger.level is overwritten by it, with trace where it is missing.
const configXML = `<clickhouse>
  <log-level>warning</log-level>
  <logger>
    <console>false</console>
    <log>%s</log>
    <size>20M</size>
    <count>3</count>
  </logger>
  <user_directories><users_xml><path>%s</path></users_xml></user_directories>
  <tmp_path>%s</tmp_path>
  <max_server_memory_usage_to_ram_ratio>%g</max_server_memory_usage_to_ram_ratio>
  <max_server_memory_usage>%d</max_server_memory_usage>
  <mark_cache_size>%d</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <mlock_executable>false</mlock_executable>
  <max_connections>512</max_connections>
  <max_concurrent_queries>200</max_concurrent_queries>
  <background_pool_size>%d</background_pool_size>
  <background_schedule_pool_size>16</background_schedule_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_common_pool_size>4</background_common_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_buffer_flush_schedule_pool_size>1</background_buffer_flush_schedule_pool_size>
  <background_distributed_schedule_pool_size>2</background_distributed_schedule_pool_size>
  <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
  <background_streaming_schedule_pool_size>16</background_streaming_schedule_pool_size>
  <max_thread_pool_size>2000</max_thread_pool_size>
  <tables_loader_foreground_pool_size>%d</tables_loader_foreground_pool_size>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <number_of_free_entries_in_pool_to_execute_mutation>2</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>2</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
</clickhouse>
`

// poll_interval, in seconds, is how long an idle connection may take to notice that the engine ends (10 by default).
// The process's own query (see spawn) can only run as `default` without a password. That one session is all that
// `default` may have, and it may do nothing but open the ports.
const usersXML = `<clickhouse>
  <profiles><default><poll_interval>1</poll_interval><max_memory_usage>%[3]d</max_memory_usage></default><own><max_sessions_for_user>1</max_sessions_for_user></own></profiles>
  <quotas><default/></quotas>
  <users>
    <%[1]s>
      <password_sha256_hex>%[2]s</password_sha256_hex>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>0</access_management>
    </%[1]s>
    <default>
      <no_password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>own</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
      </grants>
    </default>
  </users>
</clickhouse>
`
