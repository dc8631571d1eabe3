// Keeps the transcript at its end while the reader is there, and still while the reader is elsewhere.
// Here because scrolling is the one thing the transcript must never get wrong. Must not know messages, Markdown or Svelte.

/** Within this distance of the end the reader counts as being there. */
const NEAR_END_PX = 24

export type Follow = { toEnd: () => void; keepPlace: (change: () => void) => void; destroy: () => void }

/** `onChange(atEnd)` is called when the reader leaves or reaches the end. */
export function followEnd(scroller: HTMLElement, content: HTMLElement, onChange: (atEnd: boolean) => void): Follow {
  let following = true
  let lastTop = 0
  let lastHeight = 0
  let anchor: { element: Element; top: number } | null = null

  const set = (next: boolean) => {
    if (next === following) return
    following = next
    onChange(next)
  }
  const distance = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight

  const jump = () => {
    scroller.scrollTop = scroller.scrollHeight
    lastTop = scroller.scrollTop
    lastHeight = scroller.scrollHeight
  }

  // The first block in view, and where it is: growth above it is taken back.
  const remember = () => {
    anchor = null
    const edge = scroller.getBoundingClientRect().top
    for (const message of content.children) {
      const box = message.getBoundingClientRect()
      if (box.bottom <= edge) continue
      const blocks = message.querySelectorAll("[data-blocks] > *")
      let element: Element = message
      for (const block of blocks) {
        if (block.getBoundingClientRect().bottom > edge) {
          element = block
          break
        }
      }
      anchor = { element, top: element.getBoundingClientRect().top - edge }
      return
    }
  }

  const restore = () => {
    if (!anchor?.element.isConnected) return
    const moved = anchor.element.getBoundingClientRect().top - scroller.getBoundingClientRect().top - anchor.top
    if (Math.abs(moved) >= 1) scroller.scrollTop += moved
    lastTop = scroller.scrollTop
  }

  const onScroll = () => {
    const top = scroller.scrollTop
    // A block that got shorter moves the view up by itself; only what scrolls over unchanged content is the reader.
    const unchanged = scroller.scrollHeight === lastHeight
    if (unchanged && top < lastTop - 1 && distance() > NEAR_END_PX) set(false)
    else if (distance() <= 1) set(true)
    lastTop = top
    lastHeight = scroller.scrollHeight
    if (!following) remember()
  }
  const leave = () => {
    set(false)
    remember()
  }
  const onWheel = (event: WheelEvent) => {
    if (event.deltaY < 0 && scroller.scrollHeight > scroller.clientHeight) leave()
  }
  const onKey = (event: KeyboardEvent) => {
    if (["ArrowUp", "PageUp", "Home"].includes(event.key) || (event.key === " " && event.shiftKey)) leave()
  }
  let touchY = 0
  const onTouchStart = (event: TouchEvent) => { touchY = event.touches[0]?.clientY ?? 0 }
  const onTouchMove = (event: TouchEvent) => {
    if ((event.touches[0]?.clientY ?? 0) > touchY) leave()
  }

  const resized = new ResizeObserver(() => (following ? jump() : restore()))
  resized.observe(content)
  resized.observe(scroller)
  scroller.addEventListener("scroll", onScroll, { passive: true })
  scroller.addEventListener("wheel", onWheel, { passive: true })
  scroller.addEventListener("keydown", onKey)
  scroller.addEventListener("touchstart", onTouchStart, { passive: true })
  scroller.addEventListener("touchmove", onTouchMove, { passive: true })

  return {
    toEnd: () => {
      jump()
      set(true)
    },
    keepPlace: (change) => {
      remember()
      change()
      restore()
    },
    destroy: () => {
      resized.disconnect()
      scroller.removeEventListener("scroll", onScroll)
      scroller.removeEventListener("wheel", onWheel)
      scroller.removeEventListener("keydown", onKey)
      scroller.removeEventListener("touchstart", onTouchStart)
      scroller.removeEventListener("touchmove", onTouchMove)
    },
  }
}
