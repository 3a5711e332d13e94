# The screen. Only ui/screen.c includes curses.
noinst_LIBRARIES += libui.a
libui_a_CPPFLAGS = $(AM_CPPFLAGS) $(NCURSES_CFLAGS)
libui_a_SOURCES = \
	ui/act.c \
	ui/chart.c \
	ui/chart.h \
	ui/dialog.c \
	ui/dialog.h \
	ui/dialog_decision.c \
	ui/dialog_help.c \
	ui/dialog_instance.c \
	ui/dialog_load.c \
	ui/dialog_options.c \
	ui/dialog_quit.c \
	ui/dialog_save.c \
	ui/dialog_scale.c \
	ui/dialog_strategy.c \
	ui/dialog_thresholds.c \
	ui/form.c \
	ui/form.h \
	ui/format.c \
	ui/format.h \
	ui/glyph.c \
	ui/glyph.h \
	ui/grid.c \
	ui/grid.h \
	ui/key.h \
	ui/keymap.c \
	ui/keymap.h \
	ui/layout.c \
	ui/layout.h \
	ui/line.c \
	ui/line.h \
	ui/plain.c \
	ui/print.c \
	ui/print.h \
	ui/room.c \
	ui/room.h \
	ui/screen.c \
	ui/screen.h \
	ui/spans.c \
	ui/spans.h \
	ui/theme.c \
	ui/theme.h \
	ui/ui.c \
	ui/ui.h \
	ui/view.c \
	ui/view.h \
	ui/view_charts.c \
	ui/view_footer.c \
	ui/view_header.c \
	ui/view_instances.c \
	ui/view_journal.c \
	ui/view_outlook.c \
	ui/view_remote.c \
	ui/wait.c \
	ui/wait.h
