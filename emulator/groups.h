/* Words the definition tables share. */
#ifndef EMULATOR_GROUPS_H
#define EMULATOR_GROUPS_H

#define IN_NAME       "Connector"
#define IN_KAFKA      "Kafka credentials"
#define IN_TOPICS     "Topics"
#define IN_INPUT      "Input"
#define IN_OUTPUT     "Output"
#define IN_CONNECTION "Connection"
#define IN_TASKS      "Tasks"

#define HIGH   "HIGH"
#define MEDIUM "MEDIUM"
#define LOW    "LOW"

#endif
