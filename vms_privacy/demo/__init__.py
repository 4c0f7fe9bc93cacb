"""The main job told aloud on real input: `vms-privacy demo`. Each step says what was measured and holds, or fails."""
