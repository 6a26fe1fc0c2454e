"""Text of a skill that looks like an attack on its reader, or on whoever the reader works for.

A suspicion, never a verdict: what is found is shown with its line, and a person decides. What
stands in quotes, or is spoken of as an attack, is a remark, but it is shown as well: otherwise an
author need only write "for example" before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from skillret.agents.doctor.finding import Level

__all__ = ["RULES", "Attack", "find_attacks"]

_AROUND = 12  # lines in which a password, a download and a start belong together
_BEHIND = 80  # characters behind a line that are looked at with it
_EXCERPT = 160  # characters that are shown


class Attack(NamedTuple):
    """A place in a text that looks like an attack.

    Attributes:
        rule: One of `RULES`.
        level: `error`, `warning`, or `remark` where it is most likely none.
        line: From 1.
        excerpt: The place, untrusted.
    """

    rule: str
    level: Level
    line: int
    excerpt: str


# What is wrong, by the name of a rule.
RULES = {
    "attack-invisible": "holds characters that people cannot see and models read",
    "attack-hidden": "hides instructions or commands where a page does not show them",
    "attack-instructions": "tells its reader to drop its rules, or to keep its user in the dark",
    "attack-exfiltration": "sends secrets of this machine to somebody",
    "attack-download": "has something downloaded and started that nobody has looked at",
}

_GAP = r"[^\n]{0,200}?"
_SENDS = r"(?:curl|wget|nc|ncat|netcat|Invoke-(?:WebRequest|RestMethod)|iwr|irm)\b"
_PRIVATE = (
    r"(?:(?:~|\$HOME|\$\{HOME\}|/home/\w+|/root)?/?"
    r"\.(?:ssh|aws|gnupg|kube|netrc|npmrc|pypirc|docker/config)\b"
    r"|\bid_(?:rsa|ed25519|ecdsa)\b|(?<![\w.])\.env\b(?!\.(?:example|sample|template))"
    r"|/etc/(?:passwd|shadow)\b|\.config/gh/hosts|\bwallet\.dat\b|\b(?:Login Data|key4\.db)\b)"
)
_SPOKEN_PRIVATE = (
    r"(?:~/\.(?:ssh|aws|env)\S*|\.env\s+files?|private\s+(?:ssh\s+)?keys?|ssh\s+keys?"
    r"|seed\s+phrases?|(?:all\s+)?(?:the\s+|your\s+|of\s+|their\s+)*environment\s+variables"
    r"|(?:saved|stored|browser)\s+(?:passwords|cookies)|(?:user's|users'|your|all|any)\s+"
    r"(?:api\s+keys?|tokens?|credentials|passwords|secrets))"
)
_AS = r"(?:sudo\s+(?:-\w+\s+)*)?(?:/(?:usr/)?bin/)?"
# An interpreter that is given its program reads data.
_SHELL = rf"{_AS}(?:(?:ba|z|da|k|fi)?sh|(?:python[23]?|perl|ruby|node|php)(?!\s+-[cemnpr]))\b"
_EXFILTRATION = re.compile(
    rf"""\b(?:cat|tar|base64|zip|gzip|grep|find){_GAP}{_PRIVATE}[^\n]{{0,120}}?
        \|\s*[^\n]{{0,60}}?\b{_SENDS}
      | (?:^|[\s;&`(])(?:env|printenv|set|export\s+-p)
        (?:\s*\|\s*[\w-]+(?:\s+[^\n|]{{0,40}})?){{0,2}}\s*\|\s*{_SENDS}
      | \b{_SENDS}{_GAP}\s(?:-d|--data(?:-\w+)?|-F|--form){_GAP}
        (?:@["']?[^\s"']{{0,60}}?|\$\(\s*(?:cat|base64)\s[^\n]{{0,60}}?){_PRIVATE}
      | \b{_SENDS}{_GAP}\s(?:-T|--upload-file|--(?:post|body)-file|-InFile)[\s=]*
        ["']?[^\s"']{{0,60}}?{_PRIVATE}
      | \b{_SENDS}{_GAP}(?:\$\(|`)\s*(?:cat|base64|tar)\s[^\n]{{0,60}}?{_PRIVATE}
      | \b{_SENDS}{_GAP}(?:\$\(|`)\s*(?:env|printenv)\s*(?:\||\)|`)
      | \b(?:requests|httpx|session|axios|urllib)\S{{0,20}}\.?(?:post|put)\b[^\n]{{0,120}}?
        (?:(?:dict\(|=\s*)os\.environ\b(?![.\[])|process\.env\b(?![.\[])|{_PRIVATE})
      | \bfetch\([^\n]{{0,200}}?(?:stringify\(process\.env\b(?![.\[])|{_PRIVATE})
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_SPOKEN = re.compile(
    rf"\b(?:send|post|upload|exfiltrate|transmit|forward|email|append|copy|leak)\b[^\n.;]{{0,80}}?"
    rf"{_SPOKEN_PRIVATE}[^\n;]{{0,80}}?\b(?:to|at)\b[^\n;]{{0,40}}?(?:https?://|webhook|\b\d+\.\d+\.\d+\.\d+)",
    re.IGNORECASE,
)
_OVERRIDE = re.compile(
    r"""\b(?:ignore|disregard|forget|override|bypass)\s+(?:(?:all|any|every|the|your|of|and|these|those)\s+){0,3}
        (?:previous|prior|above|earlier|preceding|existing|system|safety|original)
        (?:\s+(?:and|or)\s+\w+)?\s+
        (?:\w+\s+)?(?:instructions?|prompts?|rules|messages|directions|guidelines|guardrails|context)\b
      | \b(?:do\s+not|don['’]t|never)\s+
        (?:tell|inform|alert|notify|warn|show|reveal|mention|disclose)
        (?:\s+(?:(?:any\s+of\s+)?this|it|that|anything|them|these|the\s+fact))*(?:\s+to)?\s+
        (?:the|your)\s+(?:users?|humans?|operator|owner)\s*
        (?:(?:about|of|that\s+you(?:\s+(?:are|have|did|read|ran|sent))?)\s+
        (?:this|these|it|doing|done|instructions?|step|command|did|ran|sent|running|executing)|[.!,;)]|$)
      | \bforget\s+(?:everything|all)\s+(?:above|before|you\s+(?:know|were\s+told))\b
      | \bwithout\s+(?:telling|informing|alerting|notifying)\s+
        (?:the|your|any)\s+(?:users?|humans?|owner)\b
      | \bwithout\s+(?:the|your)\s+(?:user|human|owner)['’]s\s+knowledge\b
      | \b(?:secretly|covertly)\s+
        (?:send|upload|post|run|execute|install|download|copy|add|exfiltrate)\b
      | \bsilently\s+(?:send|upload|post|exfiltrate)\b
      | \byou\s+are\s+now\s+
        (?:DAN\b|in\s+(?:developer|god|jailbreak|unrestricted)\s+mode|unrestricted|jailbroken)
      | </(?:system|system-reminder|instructions|function_results|tool_result|context)>\s*$
        (?=\n+\s*(?:new|ignore|you\s+(?:must|are|will)|from\s+now\s+on))
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_HIDDEN = re.compile(
    r"<!--(?P<html>.{1,4000}?)(?:-->|\Z)|^\[//\]:\s*#\s*(?P<md>[^\n]{1,1000})"
    r"|<(?:div|span|p)[^>\n]{0,200}(?:display\s*:\s*none|font-size\s*:\s*0|visibility\s*:\s*hidden|opacity\s*:\s*0\b)"
    r"[^>\n]{0,100}>(?P<style>.{1,2000}?)</",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_ORDER = re.compile(
    rf"\b{_SENDS}[^\n]{{0,200}}?https?://|\|\s*{_SHELL}|\bbase64\s+-{{1,2}}d"
    r"|\b(?:assistant|claude|agent|model|AI|LLM)s?\s*[,:]?\s+(?:must|should|shall|please|will|always|now)\b"
    r"|\byou\s+must\s+(?:always\s+)?(?:run|execute|send|read|include|install|fetch|add)\b",
    re.IGNORECASE,
)
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>[\w.-]+)", re.IGNORECASE)
_PIPED = re.compile(
    rf"""\b(?:curl|wget)\b(?P<a>[^\n|]{{0,300}})\|\s*{_SHELL}
      | \b(?:curl|wget)\b[^\n|]{{0,200}}?https?://[^\n|]{{0,200}}?(?:&&|;)[^\n]{{0,80}}?
        (?:(?<=[\s;&]){_SHELL}\s+["']?[\w./~-]+|\bchmod\s+(?:\+x|[0-7]*7)[^\n]{{0,80}}?(?:&&|;)\s*\S*/\w)
      | (?:<\(|\$\(|`)\s*(?:curl|wget)\b(?P<b>[^\n)`]{{0,300}})[)`](?<!\.json\))
      | \b(?:iwr|irm|Invoke-WebRequest|Invoke-RestMethod|DownloadString)\b
        (?P<c>[^\n|]{{0,300}})\|\s*(?:iex|Invoke-Expression)\b
      | \b(?:iex|Invoke-Expression)\b[^\n]{{0,60}}?
        (?:DownloadString|iwr|irm|Invoke-\w+)\b(?P<d>[^\n]{{0,200}})
    """,
    re.VERBOSE | re.IGNORECASE,
)
_STARTS = re.compile(
    rf"(?:{_SHELL}(?:\s+-\w+)*\s+[\"']?|\beval\s+[\"']?|\bsource\s+|(?:^|\s)\.\s+)$", re.I
)
_ENCODED = re.compile(
    rf"\bbase64\s+(?:-d|-D|--decode)\b[^\n|]{{0,80}}\|\s*{_SHELL}"
    r"|\bpowershell(?:\.exe)?\b[^\n]{0,80}?\s-e(?:nc|ncodedcommand)?\s+[A-Za-z0-9+/=]{20,}"
    r"|\b(?:exec|eval)\(\s*(?:base64\.b64decode|atob|Buffer\.from)\(",
    re.IGNORECASE,
)
_PASSWORD = re.compile(
    r"\b(?:extract|unpack|unzip|archive|decompress|\w+\.(?:zip|rar|7z|exe|dmg|msi|pkg))\b[^\n]{0,80}?"
    r"\bpass(?:word|phrase|code)?\b\s*(?:(?:is\s+|[:=(`\"'*]{1,4}\s*)[`\"'*(]{0,3}\s*[\w!@#$%-]{2,40}"
    r"|[\w!@#$%-]{0,30}\d[\w!@#$%-]{0,30})"
    r"|\b(?:unzip\b[^\n]{0,60}?\s(?-i:-P)|(?:7z[az]?|unrar)\s+[xe]\b[^\n]{0,60}?\s-p)\s?[\w!@#$%'\"-]{2,40}"
    r"|^\W{0,6}(?:archive\s+|zip\s+)?pass(?:word|code)\W{0,4}:\W{0,4}[`\"']?[\w!@#$%-]{2,40}[`\"'*]{0,3}\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_DOWNLOAD = re.compile(
    r"\bdownload\b|https?://\S+\.(?:zip|rar|7z|exe|dmg|msi|pkg|scr)\b|\b(?:curl|wget)\b",
    re.IGNORECASE,
)
_ARCHIVE = re.compile(r"\.(?:zip|rar|7z|exe|dmg|msi|pkg|scr)\b|\barchive\b", re.IGNORECASE)
_START = re.compile(
    r"\b(?:run|execute|launch|start|open|double-?click|install)\b[^\n]{0,60}?"
    r"(?:\.(?:exe|scr|bat|cmd|ps1|sh|command|app|dmg|msi|pkg|jar)\b|\b(?:it|the\s+\w+|installer|binary)\b)"
    r"|\./\w|\bchmod\s+\+x",
    re.IGNORECASE,
)
# Installers that their makers tell everybody to pipe into a shell.
_KNOWN_HOSTS = re.compile(
    r"(?:^|\.)(?:docker\.com|rustup\.rs|astral\.sh|python-poetry\.org|nodesource\.com|bun\.sh|bun\.com"
    r"|deno\.land|fly\.io|brew\.sh|pnpm\.io|volta\.sh|nixos\.org|determinate\.systems|supabase\.com"
    r"|claude\.ai|anthropic\.com|openai\.com|cursor\.com|ollama\.com|ollama\.ai|k3s\.io|helm\.sh"
    r"|foundry\.paradigm\.xyz|starship\.rs|railway\.app|railway\.com|vercel\.com|sentry\.io|tailscale\.com"
    r"|google\.com|googleapis\.com|microsoft\.com|aka\.ms|amazonaws\.com|amazon\.com|hashicorp\.com"
    r"|sdkman\.io|rvm\.io|pypa\.io|yarnpkg\.com|chocolatey\.org|scoop\.sh|install\.python\.org|github\.com"
    r"|githubusercontent\.com|gitlab\.com|localhost|127\.0\.0\.1|example\.(?:com|org))$",
    re.IGNORECASE,
)
_BARE_HOST = re.compile(
    r"\d+\.\d+\.\d+\.\d+$|(?:^|\.)(?:bit\.ly|tinyurl\.com|t\.co|pastebin\.com|transfer\.sh|ngrok\S*|is\.gd|rb\.gy)$",
    re.I,
)
# What shows that a place speaks of attacks and is none.
_ABOUT = re.compile(
    r"inject|attack|malicious|jailbreak|adversar|untrusted|exfiltrat|phish|suspicious|\bdetect|red[\s-]team"
    r"|payload|vulnerab|\bexploit|\bthreat|\bunsafe|dangerous|red\s+flag|\bnever\b|\bavoid|\bdo\s+not\b|\bdon['’]t\b"
    r"|\brefuse|\bonly\s+(?:send|use)|\bblock|\bforbid|\bprohibit|\bbad\b|❌|🚫|\bwrong\b|\brisk",
    re.IGNORECASE,
)
_TAGS = re.compile("[\U000e0000-\U000e007f]+")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_WIDTHLESS = re.compile(
    "[\u200b-\u200d\u2060-\u2064\u180e\ufeff]{4,}|[\U000e0100-\U000e01ef]{2,}|[\ufe00-\ufe0f]{4,}"
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]")


# Words without which a rule finds nothing: only the lines that hold one are read closely.
_SENDERS = (
    "curl wget ncat netcat invoke- iwr irm requests httpx session axios urllib fetch(".split()
)
_ORDERS = (
    "ignore disregard forget override bypass tell inform alert notify warn show reveal mention"
    " disclose without secretly covertly silently instructions> result> context> reminder>"
).split()
_HINTS = {
    _OVERRIDE: [*_ORDERS, "you are", "you must", "system>"],
    _EXFILTRATION: [*_SENDERS, "nc "],
    _SPOKEN: ["http", "webhook"],
    _ENCODED: ["base64", "powershell", "eval(", "exec("],
    _PIPED: ["curl", "wget", "iwr", "irm", "invoke-", "downloadstring"],
    _PASSWORD: ["password", "passcode", "passphrase", "unzip", "unrar", "7z"],
}


def find_attacks(text: str) -> Iterator[Attack]:
    """The places of a text that look like an attack, rule by rule.

    Args:
        text: A whole file: the lines are counted in it.
    """
    flat = text.replace("\\\n", "\\ ")  # a command that goes on below is one line, places stay
    lower = flat.lower() if len(flat.lower()) == len(flat) else flat
    if not flat.isascii():
        yield from _invisible(text)
    if any(
        sign in lower for sign in ("<!--", "[//]:", "display", "hidden", "font-size", "opacity")
    ):
        yield from _hidden(text)
    for found in _places(_OVERRIDE, flat, lower):
        level: Level = "remark" if _is_spoken_of(flat, found) else "error"
        yield _attack("attack-instructions", level, text, found)
    for found in _places(_EXFILTRATION, flat, lower):
        level = "remark" if _is_spoken_of(flat, found, quoted=False) else "error"
        yield _attack("attack-exfiltration", level, text, found)
    for found in _places(_SPOKEN, flat, lower):
        level = "remark" if _is_spoken_of(flat, found) else "warning"
        yield _attack("attack-exfiltration", level, text, found)
    yield from _downloads(text, flat, lower)


def _places(pattern: re.Pattern[str], text: str, lower: str) -> Iterator[re.Match[str]]:
    """Where a pattern matches, in order; only lines with a word of its own are looked at."""
    lines = set()
    for word in _HINTS[pattern]:
        at = lower.find(word)
        while at >= 0:
            start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
            end = len(text) if end < 0 else end
            lines.add((start, end))
            at = lower.find(word, end)
    for start, end in sorted(lines):
        for found in pattern.finditer(text, start, min(end + _BEHIND, len(text))):
            if found.start() < end:
                yield found


def _attack(rule: str, level: Level, text: str, found: re.Match[str]) -> Attack:
    line = text.count("\n", 0, found.start() + _leading(found[0])) + 1
    return Attack(rule, level, line, _line_at(text, found)[:_EXCERPT])


def _leading(found: str) -> int:
    return len(found) - len(found.lstrip())


def _line_at(text: str, found: re.Match[str]) -> str:
    """What is shown: from a little before the place on."""
    start = found.start() + _leading(found[0])
    begin = text.rfind("\n", 0, start) + 1
    if start - begin > 40:
        space = text.find(" ", start - 40, start)
        begin = start if space < 0 else space + 1
    end = text.find("\n", max(found.end(), start))
    return text[begin : end if end >= 0 else len(text)].strip()


def _is_spoken_of(text: str, found: re.Match[str], quoted: bool = True) -> bool:
    """Whether a place is quoted, or its lines speak of attacks."""
    start, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
    line = text[start : end if end >= 0 else len(text)]
    before = text[max(0, start - 300) : start]
    rest = line.replace(found[0], " ")
    if _ABOUT.search(rest) or _ABOUT.search(before):
        return True
    left = line[: found.start() - start]
    return quoted and any(left.count(sign) % 2 for sign in "\"`“'")


def _invisible(text: str) -> Iterator[Attack]:
    rule = "attack-invisible"
    for found in _TAGS.finditer(text):
        # The flags of England, Scotland and Wales are a black flag and tags.
        if text[found.start() - 1 : found.start()] != "\U0001f3f4" or len(found[0]) > 8:
            said = "".join(chr(ord(c) - 0xE0000) for c in found[0] if 0xE0020 <= ord(c) < 0xE007F)
            line = text.count("\n", 0, found.start()) + 1
            yield Attack(rule, "error", line, f"{len(found[0])} tag characters: {said}"[:_EXCERPT])
    turned = None if _RIGHT_TO_LEFT.search(text) else _BIDI.search(text)
    if turned is not None:
        line = text.count("\n", 0, turned.start()) + 1
        shown = f"U+{ord(turned[0]):04X} turns the direction of text"
        yield Attack(rule, "error", line, shown)
    for found in _WIDTHLESS.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Attack(rule, "error", line, f"{len(found[0])} characters without width in a row")


def _hidden(text: str) -> Iterator[Attack]:
    """Comments and invisible elements with orders in them."""
    for found in _HIDDEN.finditer(text):
        inner = found["html"] or found["md"] or found["style"] or ""
        if _OVERRIDE.search(inner) or _SPOKEN.search(inner) or _ORDER.search(inner):
            level: Level = "warning" if _is_spoken_of(text, found) else "error"
            yield _attack("attack-hidden", level, text, found)


def _downloads(text: str, flat: str, lower: str) -> Iterator[Attack]:
    rule = "attack-download"
    for found in _places(_ENCODED, flat, lower):
        level: Level = "remark" if _is_spoken_of(flat, found, quoted=False) else "error"
        yield _attack(rule, level, text, found)
    for found in _places(_PIPED, flat, lower):
        substituted = found["b"] is not None
        if substituted and not _STARTS.search(flat[max(0, found.start() - 40) : found.start()]):
            continue
        yield _attack(rule, _trust(found[0], flat, found), text, found)
    for found in _places(_PASSWORD, flat, lower):
        near = _lines_around(flat, found)
        if _DOWNLOAD.search(near) and _ARCHIVE.search(near) and _START.search(near):
            yield _attack(rule, "error", text, found)
            return


def _trust(command: str, text: str, found: re.Match[str]) -> Level:
    """How bad it is to pipe a page into a shell: that of a known maker is the usual way."""
    url = _URL.search(command)
    if url is not None and _BARE_HOST.search(url["host"]):
        return "remark" if _is_spoken_of(text, found, quoted=False) else "error"
    if url is None or _KNOWN_HOSTS.search(url["host"]):
        return "remark"
    return "remark" if _is_spoken_of(text, found, quoted=False) else "warning"


def _lines_around(text: str, found: re.Match[str]) -> str:
    start, end = found.start(), found.end()
    for _ in range(_AROUND):
        start = max(text.rfind("\n", 0, start), 0)
        end = text.find("\n", end + 1)
        end = len(text) if end < 0 else end
    return text[start:end]
