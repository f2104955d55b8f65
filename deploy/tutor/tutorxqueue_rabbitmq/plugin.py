"""What Tutor imports when the plugin is enabled: says to Tutor all that the plugin has, or why it can't be here."""

from tutorxqueue_rabbitmq.clash import other_plugin, refuse_to_run
from tutorxqueue_rabbitmq.registration import register

if other_plugin():
    refuse_to_run()
else:
    register()
