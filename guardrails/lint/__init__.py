"""The linter: what is wrong with a policy or looks wrong, with a page and often a fix for everything it says."""

from __future__ import annotations

from guardrails.lint.configuration import Config, find_config, parse_config
from guardrails.lint.fixing import apply_fixes
from guardrails.lint.pages import page, page_names
from guardrails.lint.registry import Finding, LintRule, all_rules
from guardrails.lint.running import LintReport, lint_files, lint_text

__all__ = [
    "Config",
    "Finding",
    "LintReport",
    "LintRule",
    "all_rules",
    "apply_fixes",
    "find_config",
    "lint_files",
    "lint_text",
    "page",
    "page_names",
    "parse_config",
]
