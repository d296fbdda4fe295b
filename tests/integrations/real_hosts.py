"""Real coding agents, where they are on this machine, in a home of their own with a model of `fake_models`.

`GUARD_TEST_HOSTS` is a folder with a `node_modules/.bin`; else they are where `make peers` puts them, with the Claude Code
that its library for Python brings along.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fake_models import Contents, FakeModel, Messages, Responses
from parser_tables import with_tables

GUARD = str(Path(sys.executable).with_name("guard"))
SECONDS = 120


PEERS = Path(__file__).parents[2] / ".peers/node"


def program(name: str) -> str | None:
    """The path of a host's program; None where there is none."""
    folder = os.environ.get("GUARD_TEST_HOSTS")
    if folder is None and PEERS.is_dir():
        folder = str(PEERS)
        if name == "claude" and (bundled := _bundled()) is not None:
            return bundled
    return shutil.which(name, path=os.path.join(folder, "node_modules", ".bin")) if folder else None


def _bundled() -> str | None:
    """The Claude Code that the library for Python brings along; it is newer than what npm has."""
    spec = find_spec("claude_agent_sdk")
    path = Path(spec.origin).parent / "_bundled/claude" if spec and spec.origin else None
    return str(path) if path is not None and path.exists() else None


class RealHost:
    """One host in a fresh home and project; `run` gives its model after a run, with what it was told."""

    command = ""
    model: type[FakeModel]

    def __init__(self, folder: Path) -> None:
        self.home, self.project = folder / "home", folder / "project"
        self.home.mkdir()
        self.project.mkdir()
        found = program(self.command)
        assert found is not None
        self.program = found
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "XDG_STATE_HOME": str(folder / "state"),
            "GUARD_CACHE": with_tables(folder / "cache"), "NO_BROWSER": "1",
        }  # fmt: skip
        self.last: subprocess.CompletedProcess[str] | None = None

    def install(self, policy: str, *more: str) -> None:
        """Write a policy, and guard's hooks into the project, as a user does."""
        (self.project / "team.guard").write_text(policy, encoding="utf-8")
        words = [GUARD, "install", self.name, "team.guard", "--write", *more]
        subprocess.run(words, cwd=self.project, env=self.environment, check=True, capture_output=True)

    def hooks(self) -> Path:
        """The file with the hooks."""
        from guardrails.integrations.installing import place

        return Path(place(self.name, "project", str(self.project)))

    def spoil(self, command: str) -> None:
        """Make every hook run another command."""
        path = self.hooks()
        settings = json.loads(path.read_text())
        for entries in settings["hooks"].values():
            for entry in entries:
                for hook in entry["hooks"]:
                    hook["command"] = command
        path.write_text(json.dumps(settings))

    def run(self, script: Sequence[Any], prompt: str = "hello") -> FakeModel:
        model = self.model(script)
        try:
            words, more = self.words(model, prompt)
            self.last = subprocess.run(
                words, cwd=self.project, env=self.environment | more, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=SECONDS,
            )  # fmt: skip
        finally:
            model.close()
        return model

    name = ""

    def words(self, model: FakeModel, prompt: str) -> tuple[list[str], dict[str, str]]:
        raise NotImplementedError

    def shell(self, command: str) -> tuple[str, dict[str, Any]]:
        raise NotImplementedError


class ClaudeCode(RealHost):
    name, command, model = "claude-code", "claude", Messages

    def words(self, model: FakeModel, prompt: str) -> tuple[list[str], dict[str, str]]:
        words = [
            self.program, "-p", prompt, "--output-format", "json", "--model", "claude-sonnet-4-5",
            "--allowedTools", "Bash,Read,Write,Edit,Grep,Glob,WebFetch",
        ]  # fmt: skip
        return words, {
            "ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "none", "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1",
        }  # fmt: skip

    def shell(self, command: str) -> tuple[str, dict[str, Any]]:
        return "Bash", {"command": command, "description": "a test"}


class Codex(RealHost):
    name, command, model = "codex", "codex", Responses
    is_trusting = True

    def words(self, model: FakeModel, prompt: str) -> tuple[list[str], dict[str, str]]:
        (self.home / "config.toml").write_text(
            'model = "gpt-5.4"\nmodel_provider = "fake"\napproval_policy = "never"\n'
            f'[model_providers.fake]\nname = "fake"\nbase_url = "{model.url}/v1"\nwire_api = "responses"\n'
            "requires_openai_auth = false\n[analytics]\nenabled = false\n"
            f'[projects."{self.project}"]\ntrust_level = "trusted"\n'
        )
        trust = ["--dangerously-bypass-hook-trust"] if self.is_trusting else []
        words = [
            self.program, "exec", "--json", "--skip-git-repo-check", *trust, "-s", "danger-full-access",
            "-C", str(self.project), prompt,
        ]  # fmt: skip
        return words, {"CODEX_HOME": str(self.home)}

    def shell(self, command: str) -> tuple[str, dict[str, Any]]:
        return "shell", {"command": command}


class Gemini(RealHost):
    name, command, model = "gemini", "gemini", Contents

    def words(self, model: FakeModel, prompt: str) -> tuple[list[str], dict[str, str]]:
        own = {
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
            "privacy": {"usageStatisticsEnabled": False}, "telemetry": {"enabled": False},
        }  # fmt: skip
        (self.home / ".gemini").mkdir(exist_ok=True)
        (self.home / ".gemini/settings.json").write_text(json.dumps(own))
        words = [
            self.program, "-p", prompt, "--output-format", "json", "-m", "gemini-2.5-flash",
            "--approval-mode", "yolo", "--skip-trust",
        ]  # fmt: skip
        return words, {
            "GEMINI_CLI_HOME": str(self.home), "GOOGLE_GEMINI_BASE_URL": model.url, "GEMINI_API_KEY": "none",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        }  # fmt: skip

    def shell(self, command: str) -> tuple[str, dict[str, Any]]:
        return "run_shell_command", {"command": command}


HOSTS: list[type[RealHost]] = [ClaudeCode, Codex, Gemini]
