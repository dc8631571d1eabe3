// Entry of the popover. Here because Vite builds one file per window. Must not know anything but its view.
import Popover from "./features/popover/Popover.svelte"
import { start } from "./mount"

void start(Popover)
