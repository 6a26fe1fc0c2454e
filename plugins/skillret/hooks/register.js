// The skillret mod for Claude Code: tells Claude which installed skills fit a prompt.
// It starts one program, `skillret hook claude-code`, which asks this machine alone. Whatever goes
// wrong, the prompt goes through, and the settings hook beside this file answers instead.

const PROGRAM = ["skillret"]
const MILLISECONDS = 4000 // the program itself gives up after 2 seconds

// Messages that no person wrote. One of a kind that is not known is taken for a person's.
const NOBODY = [
  "auto-continuation",
  "coordinator",
  "observer",
  "observer-activity",
  "peer",
  "peer-send-message",
  "plugin",
  "projects-relay",
  "scheduled-trigger",
  "task-notification",
]

const NOTE =
  "Most of the installed skills are not listed here. At each request, skillret names those that fit" +
  " it, if any do, by names that the Skill tool takes. Every other installed skill can still be" +
  ' loaded by its exact name; `skillret search "WHAT IS WANTED"` in a shell finds it.'

// Kinds of skills that skillret finds. What comes with Claude Code itself stays listed.
const FOUND = ["user", "project", "plugin"]

// Where the transcript of a session is, as far as Claude Code has said so.
const transcripts = new Map()
let works = false // the last prompt was answered

// What the program prints for an event; null if it cannot be run.
async function ask($, event) {
  try {
    const session_id = await $.session.id()
    const cwd = await $.session.cwd()
    const transcript_path = transcripts.get(session_id)
    const done = await $.process.run([...PROGRAM, "hook", "claude-code"], {
      stdin: JSON.stringify({ session_id, cwd, transcript_path, ...event }),
      timeoutMs: MILLISECONDS,
      env: { SKILLRET_MOD: "" },
    })
    return done.exitCode === 0 ? done.stdout : null
  } catch {
    return null
  }
}

// The context in an answer; "" if there is none.
function contextOf(answer) {
  try {
    const context = JSON.parse(answer).hookSpecificOutput.additionalContext
    return typeof context === "string" ? context : ""
  } catch {
    return ""
  }
}

// A listing without the skills that skillret finds: entries begin with "- NAME", and go on until
// the next entry of a name that there is.
export function shortened(text, commands) {
  const kinds = new Map(commands.map((command) => [command.name, command.source]))
  const kept = []
  let keep = true
  for (const [place, entry] of text.split(/\n(?=- )/).entries()) {
    const name = /^- ([^\n]*?)(?:: |\n|$)/.exec(entry)?.[1]
    if (place > 0 && kinds.has(name)) keep = !FOUND.includes(kinds.get(name))
    if (place > 0 && keep) kept.push(entry)
  }
  return kept.length ? `${NOTE}\n\nThese are always there:\n\n${kept.join("\n")}` : NOTE
}

export function register(on, options) {
  on("classic.SessionStart", async ($, e, next) => {
    transcripts.set(e.session_id, e.transcript_path)
    return next(e)
  }).catch(($, e, next) => next(e))

  on("prompt.submit", async ($, e, next) => {
    const person = !NOBODY.includes(e.origin?.kind)
    const event = { hook_event_name: "UserPromptSubmit", prompt: e.text }
    const answer = person ? await ask($, event) : ""
    works = answer !== null
    // The settings hook comes after this and is not to answer again, unless this has failed.
    await $.env.set("SKILLRET_MOD", works ? await $.session.id() : "")
    const context = answer ? contextOf(answer) : ""
    return next(context ? { ...e, context: [...(e.context ?? []), context] } : e)
  }).catch(($, e, next) => next(e))

  // Which skill was loaded, by Claude or by its user.
  on("skill.prompt", async ($, e, next) => {
    const event = { hook_event_name: "PostToolUse", tool_name: "Skill" }
    const told = ask($, { ...event, tool_input: { skill: e.skill } })
    const result = await next(e)
    await told
    return result
  }).catch(($, e, next) => next(e))

  // Library mode. A subagent keeps its listing: nobody submits a prompt to it.
  on("prompt.attachment", { type: "skill_listing" }, async ($, e, next) => {
    if (!options?.library_mode || !works || e.agentId) return next(e)
    return { text: shortened(e.text, await $.command.list()) }
  }).catch(($, e, next) => next(e))
}
