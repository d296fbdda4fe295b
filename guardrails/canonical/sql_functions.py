"""Which SQL functions only compute: name → whether a query that calls it can still be read-only.

The one idea: a function that this table does not know may do anything (a stored function can delete), so a
query that calls it is not read-only. The functions that `sqlglot` itself types are part of some dialect's
standard library and are taken as computing, but for the few that are named here.
"""

from __future__ import annotations


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


ACTING = _words("""
    nextval setval next_value_for currval lastval pg_sleep pg_sleep_for pg_sleep_until sleep benchmark
    pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file pg_terminate_backend pg_cancel_backend
    pg_reload_conf pg_advisory_lock lo_import lo_export lo_unlink lo_create dblink dblink_exec dblink_connect
    load_extension load_file writefile readfile edit xp_cmdshell xp_regread xp_dirtree sp_executesql
    sp_oacreate openrowset opendatasource openquery query_to_xml table_to_xml cursor_to_xml set_config
    get_lock release_lock last_insert_id sys_exec sys_eval http_get http_post url s3 file
    remote cluster mysql postgresql jdbc odbc executable read_csv read_csv_auto read_parquet read_json
    read_json_auto read_text read_blob parquet_scan sniff_csv glob to_file try_to_file get predict ml_forecast
    ml_translate vector_search external_query transform secret
""")
"""Functions that change something, wait, or reach files, hosts, models and other databases."""

_ACTING_PREFIXES = ("ai_", "a_i_", "generate_text", "generate_embedding", "generate_table", "dbms_", "utl_")

COMPUTING = _words("""
    abs age any_value arrayjoin bin ceil changes char char_length choose clock_timestamp col_description
    concat concat_ws conv convert_from convert_to crc32 current_setting date date_add date_bin date_diff
    date_format date_part date_sub date_trunc datetime datepart db_name dayname decode
    div encode epoch_ms exp field find_in_set first_value format format_type found_rows from_days
    generate_series generate_subscripts getdate getutcdate gen_random_uuid greatest has_table_privilege hex
    host ifnull iif inet_aton inet_ntoa inet6_aton inet6_ntoa initcap instr is_numeric is_uuid isdate isfinite
    isjson isnull isnumeric iso_week jaro_winkler julianday justify_interval last_insert_rowid least len
    levenshtein likelihood likely list_aggregate list_contains list_extract list_unique ln localtimestamp log
    lower lpad ltrim make_date make_interval make_time make_timestamp make_timestamptz makedate maketime
    masklen max md5 metaphone mid min mod monthname netmask network nullif num_nonnulls num_nulls nvl
    obj_description object_id object_name oct ord parse_ident patindex percentile_cont percentile_disc
    period_add period_diff pg_column_size pg_database_size pg_get_constraintdef pg_get_functiondef
    pg_get_indexdef pg_get_viewdef pg_indexes_size pg_relation_size pg_size_pretty pg_table_is_visible
    pg_table_size pg_total_relation_size pg_typeof phraseto_tsquery pi plainto_tsquery position printf
    quote quote_ident quote_literal quote_nullable quotename radians rand random range regexp_like
    regr_slope replace replicate reverse round row_count row_number row_to_json rpad rtrim schema_name
    scope_identity sec_to_time sha1 sha256 sign similarity soundex split_part sqlite_version sqrt
    starts_with statement_timestamp stddev strcmp strftime string_agg string_to_array string_to_table strip
    strpos subdate substr substring sum sysdate time time_to_sec timediff timeofday timestamp
    timestampadd timestampdiff to_ascii to_char to_date to_days to_hex to_json to_jsonb to_number
    to_regclass to_seconds to_timestamp to_tsquery to_tsvector total transaction_timestamp translate trim
    trunc truncate try_convert ts_headline ts_rank ts_rank_cd txid_current_if_assigned typeof unaccent unicode
    unistr unlikely unnest upper uuid version websearch_to_tsquery week weekday weekofyear width_bucket
    word_similarity xmlagg xpath year yearweek zeroblob
    toyear tomonth todate todatetime todayofmonth toyyyymm toyyyymmdd tostring toint32 toint64 tofloat64
    uniqexact uniqcombined quantiles quantileexact sumif avgif countif groupuniqarray grouparray
""")
"""Functions of the well-known databases that `sqlglot` does not type and that only compute."""

_COMPUTING_PREFIXES = ("json_", "jsonb_", "array_", "regexp_", "st_")

SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema", "sys", "safe", "net"})
"""Qualifiers under which a function is still the database's own."""


def computes(name: str, *, typed: bool) -> bool:
    """Whether the function `name` (lower case) only computes; `typed` when `sqlglot` knows it."""
    if name in ACTING or name.startswith(_ACTING_PREFIXES):
        return False
    return typed or name in COMPUTING or name.startswith(_COMPUTING_PREFIXES)
