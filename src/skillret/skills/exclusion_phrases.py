"""How other languages than English say what a skill is not for: their commonest phrases only.

For `skillret.skills.exclusions`, which looks at them where a description holds one of the hints.
"""

from __future__ import annotations

import re

from skillret.patterns import lazy_pattern

__all__ = ["BEGINS", "BEGINS_LATE", "ELSEWHERE", "HINTS"]

HINTS = (  # in lower case
    *("nicht ", "kein", "stattdessen ", "ne pas ", "ne jamais ", "ne conv", "ne sert", "ne couvre"),
    *("ne traite", "ne gère", "est pas ", "pas pour ", "utilise", "préfére", "no es para"),
    *("no us", "no lo us", "no la us", "no lo util", "no la util"),
    *("no util", "no sirve", "no cubre", "no apt", "para ", "não ", "non us", "non util", "non è"),
    *("non adatt", "non serve", "non copre", "niet ", "nie używ", "nie stos", "nie dla", "nie do "),
    *("nie nadaje", "nie służy", "не ", "不", "勿", "非用", "请", "請", "改用", "改使用"),
    *("参", "參", "禁止", "排除"),
    *("ない", "ません", "対象外", "않", "마세요", "마십시오", "제외", "말 것", "말것"),
    *("别", "別", "避免", "除外", "を除く", "아닙니다"),
    *("mais pas", "pero no ", "für ", "由", "には"),
    *("niet voor", "ikke", "inte ", "älä ", "ei sovellu", "nepouž", "není ", "kullanma", "değil"),
    *("không ", "jangan ", "tidak ", "ne használ", "nem alk", "nem való", "nu fol", "nu util"),
    *("nu este", "кроме ", "нельзя ", "no gestion", "no manej", "no incluy", "no abord", "no trat"),
    *("non gest", "non inclu", "non tratt", "sauf ", "hormis ", "excepto ", "salvo ", "eccetto "),
    *("tranne ", "exceto ", "n'inclut", "n’inclut", "ne s'occupe", "ne s’occupe"),
)

_CHINESE = (
    "(?:(?:但是?|不过|不過)?不(?:适用|適用|适合|適合|用于|用於|支持|支援|处理|處理|包括|包含|含|做|要用|要使用|能用|负责|負責|涉及|涵盖|涵蓋"
    "|[应應可得]用[于於]|要在[^。；，]{1,60}[时時](?:使用|调用|調用|触发|觸發))"
    "|(?:何[时時]|什么时候)?不(?:触发|觸發|使用|是用来|是用來|在)|[别別](?:用[于於]|用来|用來|在)|避免用[于於]"
    "|[请請](?:不要|勿)|勿用|并?非用[于於]|禁止(?:使?用[于於]|在[^。；，]{1,60}[时時]使用)|排除\\s*[：:])"
)
# How an exclusion begins, where a sentence or a clause does.
BEGINS = lazy_pattern(
    rf"""[\W_]*(?:
        (?:(?:gilt|taugt|dient|ist|sind)\s+)?nicht\s+
        (?:für|bei|zum|zur|wenn|geeignet|verwenden|nutzen|benutzen|gedacht|zuständig|bestimmt)\b
      | (?:verwenden?|nutzen?|benutzen?)\s+(?:sie\s+)?(?:dies(?:en|e|es)?\s+)?
        (?:skill\s+|ihn\s+|es\s+)?nicht\s+(?:für|bei|wenn|zum|zur)\b
      | kein(?:e[rs]?)?\s+\w+\s+für\b
      | (?:à\s+)?ne\s+(?:(?:pas|jamais)\s+)?(?:utiliser|convient|sert|couvre|traite|gère
        |s[’']occupe)\b
      | n[’']inclut\s+pas\b
      | (?:sauf|hormis)\s+(?:l[ea]s?\b|l[’']|des\b|pour\b)
      | (?:salvo|excepto|exceto|eccetto|tranne)\s+
        (?:el|l[aeo]s?|los|os?|as?|il|gli|i|para|per)\b
      | n[’']est\s+pas\b | (?:ne\s+l|n)[’']utilise[zr]?\s+pas\b | pas\s+pour\b
      | no\s+(?:l[oa]s?\s+)?
        (?:usar|uses?|utili[cz](?:ar|es?)|es\s+para|sirve|cubre|gestiona|maneja
          |incluye|aborda|trata|apt[oa])\b(?!\s+for\b)
      | não\s+(?:[oa]\s+)?(?:usar|use|utilizar|utilize|é\s+para|serve|cobre|trata|inclui|gerencia)\b
      | non\s+(?:usar(?:e|l[oa])|utilizzar(?:e|l[oa])|è\s+per|adatt[oa]|serve|copre|gestisce
          |include|tratta)\b
      | (?:gebruik\s+(?:dit|deze|het)\s+(?:skill\s+)?)?niet\s+(?:gebruiken|voor|geschikt|bedoeld)\b
      | da\s+non\s+usare\b
      | (?:ikke\s+(?:bruk|for|til|egnet|ment)|(?:bruk|brug)\s+ikke|ikke\s+brug)\b
      | (?:använd\s+inte|inte\s+(?:för|till|avsedd))\b
      | älä\s+käytä\b | ei\s+(?:sovellu|ole\s+tarkoitettu)\b
      | nepouž\w+\s+(?:pro|na|k|ke)\b | není\s+(?:pro|určen\w*)\b
      | không\s+(?:dùng|sử\s+dụng|dành)\b
      | jangan\s+gunakan\b | tidak\s+(?:untuk|cocok)\b
      | ne\s+használd?\b | nem\s+(?:alkalmas|való)\b
      | nu\s+(?:folosi\w*|utiliza\w*|este\s+pentru)\b
      | кроме\b | нельзя\s+использ
      | nie\s+(?:używać|używaj|stosować|dla|do|nadaje|służy)\b
      | не\s+(?:использ|використ|признач|для|применя|подход|предназнач|поддержив)
      | {_CHINESE})""",
    re.IGNORECASE | re.VERBOSE,
)
# Behind a mere comma only what can be nothing else.
BEGINS_LATE = lazy_pattern(
    rf"{_CHINESE}|aber\s+kein(?:e[nrms]?)?\s+[A-ZÄÖÜ]\w+(?:\s+(?:und|oder)\s+\w+)*\s*(?:[.,;]|$)"
    r"|mais\s+pas\s+(?:pour\s+)?(?:les?|la|des|du)\s"
    r"|pero\s+no\s+(?:para\s+)?\w+s(?:\s+[yoe]\s+\w+s)*\s*(?:[.,;]|$)"
)
_NAME = r"[`/@]?[a-z0-9]+(?:[-_:/][a-z0-9]+)+"
# A sentence that sends its reader to another skill, or, in Japanese and Korean, ends in a negation.
ELSEWHERE = lazy_pattern(
    rf"""(?:\bstattdessen|\butilise[rz]\s+plutôt|\bpréfére[rz]|\bpara\b.*,\s+us[ae]r?)\s+{_NAME}
      | [当當][^。；]{{1,60}}?[时時][，,]?\s*[请請]?(?:不要|勿|不得|不应|不應|避免)
        (?:使用|调用|調用|触发|觸發)
      | \b(?:gehör(?:t|en)|zähl(?:t|en))\s+nicht\s+(?:dazu|hierher)\W*$
      | \b(?:ist|sind)\s+(?:nicht|kein)\s+teil\s+(?:davon|dieses\s+skills)\W*$
      | 不(?:属于|屬於)(?:本|此|该|該|这个|這個)(?:技能|skill)(?:的?(?:范围|範圍|职责|職責))?\W*$
      | für\b.*\bbitte\s+{_NAME}\s+(?:verwenden|nutzen|benutzen)\b
      | [由在]\s*{_NAME}\s*(?:来|來)?(?:处理|處理|负责|負責)
      | には\s*{_NAME}\s*を(?:使(?:う|って|用)|利用)
      | (?:[请請改](?:使用|用)|[参參][见見考照])\s*{_NAME}
      | (?:(?:使わ|使用し|利用し|対応し(?:てい)?|扱わ|適さ)(?:ない|ません)(?:でください|こと)?
          |対象外(?:です)?|を除く|向か(?:ない|ません))\W*$
      | (?:除外|不在.{{0,12}}范围内?|不在.{{0,12}}範圍內?)\W*$
      | (?:kullanma(?:yın(?:ız)?)?|için\s+değil(?:dir)?)\W*$
      | (?:(?:사용|지원|처리|적용)하지\s*(?:마세요|마십시오|않습니다|않음|않는다|말\s*것)
          |(?:용이|것이|용도가)\s*아닙니다|(?:다루|적합하)지\s*않(?:습니다|음)|제외(?:합니다|됩니다)?)\W*$
    """,
    re.IGNORECASE | re.VERBOSE,
)
