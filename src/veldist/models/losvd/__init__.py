"""The velocity distribution along the line of sight."""
