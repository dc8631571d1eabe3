// What the fake model is made to say: an answer with everything Markdown has, and a long one.
export const CODE_AND_TABLE = `A small web server can read a request, choose an answer and write it back. The standard library has all of it.

## The handler

\`\`\`python
from http.server import BaseHTTPRequestHandler, HTTPServer

class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"Hello from your own machine\\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("127.0.0.1", 8080), Hello).serve_forever()
\`\`\`

Three things are worth knowing:

1. It listens on \`127.0.0.1\`, so **nobody else** on the network can reach it.
2. One request is answered at a time; use \`ThreadingHTTPServer\` for more.
3. *Never* use it in front of the internet. The [documentation](https://docs.python.org/3/library/http.server.html) says so too.

| Server | Requests at once | Good for |
|---|---:|---|
| \`HTTPServer\` | 1 | trying things out |
| \`ThreadingHTTPServer\` | many | small tools at home |
| nginx with an app server | thousands | everything public |

> If a request takes \\(t\\) seconds, one thread answers at most \\(1/t\\) of them in a second.

- [x] Runs without installing anything
- [ ] Speaks HTTPS`

/** About this many characters of paragraphs, lists, code and tables. */
export function longAnswer(characters: number): string {
  const parts: string[] = []
  for (let length = 0, index = 1; length < characters; index += 1) {
    const part = [
      `## Part ${index}`,
      `The ${index}. part explains one thing at some length, with *emphasis*, **weight** and \`code\` where they help. ${"A sentence follows that says a little more about it. ".repeat(6)}`,
      index % 3 === 0 ? "```js\nexport function add(a, b) {\n  return a + b\n}\n```" : "- one point\n- another point\n- the last point",
      index % 5 === 0 ? "| Name | Value |\n|---|---:|\n| first | 1 |\n| second | 22 |" : "A short paragraph.",
    ].join("\n\n")
    parts.push(part)
    length += part.length
  }
  return parts.join("\n\n").slice(0, characters)
}
