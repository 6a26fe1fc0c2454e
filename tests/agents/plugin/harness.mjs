// Runs the mod as Claude Code does: registers its hooks, raises events, prints what came of it.
// usage: node harness.mjs MODULE SCENARIO.json
import { readFileSync } from "node:fs"
import { pathToFileURL } from "node:url"

const [module, scenario] = process.argv.slice(2)
const { options, runs, commands, events, session } = JSON.parse(readFileSync(scenario, "utf8"))
const { register } = await import(pathToFileURL(module))
const hooks = []
const calls = []
const env = {}
const $ = {
  session: { id: async () => session, cwd: async () => "/work" },
  command: { list: async () => commands },
  env: { set: async (name, value) => void (env[name] = value) },
  process: {
    run: async (argv, init) => {
      calls.push({ argv, ...init, stdin: JSON.parse(init.stdin), before: { ...env } })
      const run = runs.shift()
      if (typeof run !== "object") throw new Error(String(run))
      return { exitCode: 0, stdout: "", stderr: "", ...run }
    },
  },
}

register((name, ...rest) => {
  const [matcher, hook] = rest.length > 1 ? rest : [{}, ...rest]
  const entry = { name, matcher, hook }
  hooks.push(entry)
  return { catch: (handler) => void (entry.caught = handler) }
}, options)

function frozen(value) {
  if (value && typeof value === "object") Object.values(value).forEach(frozen)
  return Object.freeze(value)
}

const answers = []
for (const { event, ...e } of frozen(events)) {
  const found = hooks.find(
    (h) => h.name === event && Object.entries(h.matcher).every(([k, v]) => e[k] === v),
  )
  const next = async (given) => ({ next: given, env: { ...env } })
  try {
    answers.push(found ? await found.hook($, frozen(e), next) : null)
  } catch (error) {
    if (!found.caught) throw error
    answers.push({ caught: String(error), ...(await found.caught($, e, next)) })
  }
}
const registered = hooks.map((h) => ({ name: h.name, matcher: h.matcher, caught: !!h.caught }))
console.log(JSON.stringify({ registered, calls, answers, env }))
