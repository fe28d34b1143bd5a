/* The mount's channel to the kernel. */
#ifndef FS_CHANNEL_H
#define FS_CHANNEL_H

struct fuse_session;

/* Of a session that is mounted, before its loop: lets the kernel look for several names of a
 * directory at a time, which libfuse 3.14 wants and then forgets to say; and has one thread take
 * the kernel's requests, one after the other. 0 or -errno. */
int channel_set_up(struct fuse_session *session);

/* Before something that may take long: if the calling thread takes the requests, another one does
 * from now on. */
void channel_hand_over(void);

#endif
