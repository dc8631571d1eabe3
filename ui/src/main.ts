// Entry of the main window. Here because Vite builds one file per window. Must not know anything but its view.
import MainWindow from "./features/main/MainWindow.svelte"
import { start } from "./mount"

void start(MainWindow)
