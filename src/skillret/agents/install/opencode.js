// Written by `skillret install opencode`; `skillret uninstall opencode` takes it away.
// Tells the agent which skills fit a prompt. Whatever goes wrong, the prompt goes through as it is.
import { spawn } from "node:child_process"

const COMMAND = ["skillret", "hook", "opencode"]
const MILLISECONDS = 3000
const MOST = 64 * 1024 // characters of an answer

// What the hook prints for an event; "" if it fails or takes too long.
function ask(event, cwd) {
  return new Promise((resolve) => {
    let answer = ""
    let timer
    const end = (text) => {
      clearTimeout(timer)
      resolve(text)
    }
    try {
      const child = spawn(COMMAND[0], COMMAND.slice(1), {
        cwd,
        stdio: ["pipe", "pipe", "ignore"],
        windowsHide: true,
      })
      timer = setTimeout(() => {
        end("")
        child.kill()
      }, MILLISECONDS)
      child.on("error", () => end(""))
      child.on("close", (status) => end(status === 0 ? answer : ""))
      child.stdout.setEncoding("utf8")
      child.stdout.on("data", (piece) => {
        if (answer.length < MOST) answer += piece
      })
      child.stdin.on("error", () => {})
      child.stdin.end(JSON.stringify(event))
    } catch {
      end("")
    }
  })
}

// The context in an answer: JSON as other agents take it, or plain text.
function contextOf(answer) {
  const text = answer.trim()
  if (!text.startsWith("{")) return text
  try {
    const found = JSON.parse(text)
    const context = found?.hookSpecificOutput?.additionalContext ?? found?.additionalContext
    return typeof context === "string" ? context : ""
  } catch {
    return ""
  }
}

export const Skillret = async ({ directory }) => {
  const named = (event, sessionID, more) =>
    ask({ hook_event_name: event, session_id: sessionID, cwd: directory, ...more }, directory)
  return {
    "chat.message": async (input, output) => {
      try {
        const own = output.parts.filter((part) => part.type === "text" && !part.synthetic)
        const prompt = own.map((part) => part.text).join("\n")
        if (!prompt.trim()) return
        const context = contextOf(await named("chat.message", input.sessionID, { prompt }))
        if (!context) return
        output.parts.push({
          id: `prt_skillret${Date.now().toString(36)}${Math.random().toString(36).slice(2, 10)}`,
          sessionID: input.sessionID,
          messageID: output.message.id,
          type: "text",
          text: context,
          synthetic: true,
        })
      } catch {
        // The prompt matters more.
      }
    },
    event: async ({ event }) => {
      if (event?.type === "session.compacted") await named(event.type, event.properties?.sessionID)
    },
    // Which skills are loaded then.
    "tool.execute.after": async (input) => {
      const tool_name = input?.tool
      if (tool_name !== "skill") return
      void named("tool.execute.after", input.sessionID, { tool_name, tool_input: input.args ?? {} })
    },
  }
}
